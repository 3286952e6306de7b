// Result<T> and Error: how anything that can fail says so. The names are a subset of std::expected's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace millrace {

/// What kind of failure it is; a program reacts to this, never to the text.
enum class Code {
    InvalidArgument, ///< a value out of range, of the wrong type, or contradictory
    InvalidFormat,   ///< a file or message that does not follow its format
    NewerFormat,     ///< written by a newer Millrace than this one
    NotFound,
    AlreadyExists,
    Unsupported, ///< understood, but not something this build or machine does
    TooLarge,    ///< over a stated limit
    Corrupt,     ///< was right once: checksum, torn or damaged data
    Io,
    DiskFull,
    Permission,
    Busy,
    OutOfMemory,
    Diverged, ///< NaN or infinity while training
    Cancelled,
    ProcessDied,
    DeviceLost, ///< a GPU whose context is gone: the process that used it must be replaced
    Internal, ///< a bug of ours
};

/// The code's stable name in JSON and on the command line, such as "invalid_argument".
std::string_view codeName(Code code);
/// The code of that name; Internal for a name this build does not know.
Code codeFromName(std::string_view name);

/// Where it happened. Empty fields do not apply.
struct Subject
{
    std::string file;
    long line = 0;   ///< from 1; 0: not known
    long column = 0; ///< from 1; 0: not known
    std::string node;
    std::string parameter;
    std::string run;
    std::string host;

    bool empty() const;
    /// "data.csv, line 3, column 7" or "node fit, parameter epochs"; empty where nothing is known.
    std::string toString() const;
    bool operator==(const Subject&) const = default;
};

/// An error the user can meet: what was wrong (message), where (subject), what to do (advice).
struct [[nodiscard]] Error
{
    Code code = Code::Internal;
    std::string message; ///< a sentence with the value and what was expected
    Subject subject;
    std::string advice; ///< a sentence; may be empty

    /// "where: message advice", one line, for terminals and logs.
    std::string toString() const;

    Error&& at(Subject where) &&;
    Error&& atNode(std::string node, std::string parameter = {}) &&;
    Error&& atFile(std::string file, long line = 0, long column = 0) &&;
    Error&& atRun(std::string run) &&;
    Error&& advise(std::string what) &&;
};

inline Error makeError(Code code, std::string message)
{
    return Error{code, std::move(message), {}, {}};
}

/// A value or an Error.
template <class T> class [[nodiscard]] Result
{
public:
    using value_type = T;
    Result(T value) : m_content(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : m_content(std::in_place_index<1>, std::move(error)) {}
    template <class U>
        requires(!std::is_same_v<std::remove_cvref_t<U>, Result> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
                 !std::is_same_v<std::remove_cvref_t<U>, Error> && std::is_convertible_v<U &&, T>)
    Result(U&& value) : m_content(std::in_place_index<0>, std::forward<U>(value))
    {
    }

    bool has_value() const { return m_content.index() == 0; }
    explicit operator bool() const { return has_value(); }
    T& value() & { return std::get<0>(m_content); }
    const T& value() const& { return std::get<0>(m_content); }
    /// Of a temporary by value, so that `for (auto& x : *f())` walks over something that still lives.
    T value() && { return std::get<0>(std::move(m_content)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    Error& error() & { return std::get<1>(m_content); }
    const Error& error() const& { return std::get<1>(m_content); }
    Error&& error() && { return std::get<1>(std::move(m_content)); }
    template <class U> T value_or(U&& other) const&
    {
        return has_value() ? value() : static_cast<T>(std::forward<U>(other));
    }

private:
    std::variant<T, Error> m_content;
};

template <> class [[nodiscard]] Result<void>
{
public:
    using value_type = void;
    Result() = default;
    Result(Error error) : m_error(std::move(error)) {}

    bool has_value() const { return !m_error; }
    explicit operator bool() const { return has_value(); }
    void value() const {}
    Error& error() & { return *m_error; }
    const Error& error() const& { return *m_error; }
    Error&& error() && { return std::move(*m_error); }

private:
    std::optional<Error> m_error;
};

using Status = Result<void>;

} // namespace millrace

#define MR_CONCAT_(a, b) a##b
#define MR_CONCAT(a, b) MR_CONCAT_(a, b)
#define MR_TRY_(temporary, declaration, expression)                                                                    \
    auto temporary = (expression);                                                                                     \
    if (!temporary) return std::move(temporary).error();                                                               \
    declaration = std::move(temporary).value()

/// MR_TRY(auto x, f()): x is f's value, or the enclosing function returns f's error.
#define MR_TRY(declaration, expression) MR_TRY_(MR_CONCAT(mrResult_, __COUNTER__), declaration, expression)

/// MR_CHECK(f()): the enclosing function returns f's error, if there is one.
#define MR_CHECK(expression)                                                                                           \
    do {                                                                                                               \
        if (auto mrStatus_ = (expression); !mrStatus_) return std::move(mrStatus_).error();                            \
    } while (false)

// SHA-256 (by OpenSSL's libcrypto): the one hash of cache keys, checkpoints and model files.
#pragma once

#include "kernels/base/result.h"

#include <memory>
#include <string>
#include <string_view>

namespace millrace {

/// SHA-256 of what was added, piece by piece.
class Sha256
{
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    void add(std::string_view bytes);
    /// 64 hexadecimal digits; call once.
    std::string hex();

private:
    struct Context;
    std::unique_ptr<Context> m_context;
};

std::string sha256(std::string_view bytes);
/// Hash of a file's content. Errors: NotFound, Io.
Result<std::string> sha256OfFile(const std::string& path);

} // namespace millrace

#include "engine/data/stored_loader.h"

#include "engine/data/stored_rows.h"
#include "kernels/base/log.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

namespace millrace::data {

namespace {
constexpr auto kSilentWait = std::chrono::seconds(5);       ///< a wait that is longer is told
constexpr auto kFarewell = std::chrono::milliseconds(2000); ///< how long a reader may take to stop

/// Consecutive blocks of an epoch's order.
struct Window
{
    std::vector<std::int64_t> blocks;
    std::int64_t rows = 0, firstRow = 0; ///< of the epoch
};

/// Everything the reading thread needs: it may outlive the loader where the disk holds it.
struct Reading
{
    std::shared_ptr<const Dataset> dataset;
    LoaderOptions options;
    std::int64_t epoch = 0;
    std::vector<Window> windows;

    std::mutex mutex; // guards all below
    std::condition_variable_any changed;
    std::size_t next = 0;            ///< the window that is read or will be read next
    std::optional<RowsBuffer> ready; ///< the window before `next`, until it is taken
    std::optional<Error> failure;
    bool ended = false;
};

/// Copies a block's rows to their places in the window.
template <class T>
void scatter(std::span<const T> from, std::span<const std::uint32_t> places, std::size_t width, std::vector<T>& to)
{
    if (from.empty()) return;
    for (std::size_t row = 0; row < places.size(); ++row)
        std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(row * width), width,
                    to.begin() + static_cast<std::ptrdiff_t>(places[row] * width));
}

/// The place of each of the window's rows, counted in the order of its blocks.
std::vector<std::uint32_t> placesOf(const Reading& reading, std::size_t number)
{
    std::vector<std::uint32_t> places(static_cast<std::size_t>(reading.windows[number].rows));
    if (reading.options.shuffle)
        permutation(reading.options.seed, streamOf(str("order/", reading.epoch, "/", number)), places);
    else
        std::iota(places.begin(), places.end(), 0U);
    return places;
}

/// Reads the window's blocks by several threads.
Status readWindow(const Reading& reading, std::size_t number, RowsBuffer& into, const std::stop_token& stop)
{
    const Window& window = reading.windows[number];
    const Dataset& rows = *reading.dataset;
    const auto width = static_cast<std::size_t>(rows.schema.features.elements());
    const auto count = static_cast<std::size_t>(window.rows);
    into.features.resize(count * width);
    into.labels.resize(rows.schema.target == pipeline::TargetKind::Classes ? count : 0);
    into.targets.resize(rows.schema.target == pipeline::TargetKind::Number ? count : 0);
    const std::vector<std::uint32_t> places = placesOf(reading, number);
    std::vector<std::size_t> firsts; // row of the window with which each block begins
    for (std::size_t first = 0; const std::int64_t block : window.blocks) {
        firsts.push_back(first);
        first += static_cast<std::size_t>(rows.rowsOfBlock(block));
    }

    std::atomic<std::size_t> nextBlock{0};
    std::mutex mutex; // guards result
    Status result;
    const auto work = [&] {
        RowsBuffer buffer;
        for (std::size_t i = nextBlock++; i < window.blocks.size() && !stop.stop_requested(); i = nextBlock++) {
            const auto batch = rows.block(window.blocks[i], buffer);
            if (!batch) {
                const std::lock_guard lock(mutex);
                if (result) result = batch.error();
                return;
            }
            const auto at = std::span(places).subspan(firsts[i], static_cast<std::size_t>(batch->rows));
            scatter(batch->features, at, width, into.features);
            scatter(batch->labels, at, 1, into.labels);
            scatter(batch->targets, at, 1, into.targets);
        }
    };
    std::vector<std::jthread> others;
    const auto threads =
        std::min<std::size_t>(static_cast<std::size_t>(std::max(reading.options.threads, 1)), window.blocks.size());
    for (std::size_t i = 1; i < threads; ++i) others.emplace_back(work);
    work();
    others.clear();
    return result;
}

/// The reading thread: one window ahead of the one that is fed.
void readAhead(const std::shared_ptr<Reading>& reading, const std::stop_token& stop)
{
    for (;;) {
        std::size_t number = 0;
        {
            std::unique_lock lock(reading->mutex);
            reading->changed.wait(lock, stop, [&] { return !reading->ready; });
            number = reading->next;
            if (stop.stop_requested() || number == reading->windows.size()) break;
        }
        RowsBuffer rows;
        Status status;
        try {
            status = readWindow(*reading, number, rows, stop);
        } catch (const std::bad_alloc&) {
            status = makeError(Code::OutOfMemory, "There is not enough memory to read rows ahead.");
        }
        const std::lock_guard lock(reading->mutex);
        if (status)
            reading->ready = std::move(rows);
        else
            reading->failure = std::move(status).error();
        ++reading->next;
        reading->changed.notify_all();
        if (reading->failure) break;
    }
    const std::lock_guard lock(reading->mutex);
    reading->ended = true;
    reading->changed.notify_all();
}

class StoredLoader : public Loader
{
public:
    StoredLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
        : Loader(dataset->rows(), options), m_dataset(std::move(dataset)),
          m_width(static_cast<std::size_t>(m_dataset->schema.features.elements()))
    {
    }
    ~StoredLoader() override { leave(); }

    Status start(std::int64_t epoch, std::int64_t firstStep) override;
    Result<const Batch*> next(std::stop_token stop) override;

private:
    std::vector<Window> windowsOf(std::int64_t epoch) const;
    Status takeWindow(const std::stop_token& stop);
    void feed(std::size_t count, std::size_t at);
    void leave();

    std::shared_ptr<const Dataset> m_dataset; // shared with whoever else uses the rows
    std::size_t m_width;
    std::shared_ptr<Reading> m_reading; // shared with the thread
    std::jthread m_thread;
    RowsBuffer m_window;                     ///< the rows that are being fed
    std::size_t m_windowRows = 0, m_fed = 0; ///< rows of it, and how many were fed
    std::int64_t m_step = 0;
    RowsBuffer m_joined; ///< a batch that begins in one window and ends in another
    Batch m_batch;
};

std::vector<Window> StoredLoader::windowsOf(std::int64_t epoch) const
{
    std::vector<std::uint32_t> order(static_cast<std::size_t>(m_dataset->blocks()));
    if (m_options.shuffle)
        permutation(m_options.seed, streamOf(str("order/", epoch)), order);
    else
        std::iota(order.begin(), order.end(), 0U);
    const auto rowBytes = static_cast<std::int64_t>((m_width + 1) * sizeof(float));
    const std::int64_t most = std::max<std::int64_t>(1, m_options.memoryBytes / 2 / rowBytes);
    std::vector<Window> windows;
    std::int64_t first = 0;
    for (const std::uint32_t block : order) {
        const std::int64_t rowsOfBlock = m_dataset->rowsOfBlock(block);
        if (rowsOfBlock == 0) continue;
        if (windows.empty() || windows.back().rows + rowsOfBlock > most) windows.push_back({{}, 0, first});
        windows.back().blocks.push_back(block);
        windows.back().rows += rowsOfBlock;
        first += rowsOfBlock;
    }
    return windows;
}

Status StoredLoader::start(std::int64_t epoch, std::int64_t firstStep)
{
    leave();
    m_step = firstStep;
    m_windowRows = m_fed = 0;
    m_reading = std::make_shared<Reading>();
    m_reading->dataset = m_dataset;
    m_reading->options = m_options;
    m_reading->epoch = epoch;
    m_reading->windows = windowsOf(epoch);
    const std::int64_t firstRow = firstStep * m_options.batchSize;
    auto& windows = m_reading->windows;
    std::size_t& number = m_reading->next;
    while (number < windows.size() && windows[number].firstRow + windows[number].rows <= firstRow) ++number;
    // rows of the first window that earlier steps were fed with
    if (number < windows.size()) m_fed = static_cast<std::size_t>(firstRow - windows[number].firstRow);
    m_thread = std::jthread([reading = m_reading](const std::stop_token& stop) { readAhead(reading, stop); });
    return {};
}

/// Waits for the next window. A disk that takes long is told, and waited for as long as nobody stops it.
Status StoredLoader::takeWindow(const std::stop_token& stop)
{
    const auto begin = std::chrono::steady_clock::now();
    auto tell = begin + kSilentWait;
    const auto note = [&](std::string_view words) {
        const auto seconds =
            std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count();
        const std::string text = str(words, seconds, " s.");
        m_options.note ? m_options.note(text) : log(LogLevel::Warning, text);
    };
    std::unique_lock lock(m_reading->mutex);
    const auto come = [&] { return m_reading->ready || m_reading->failure || m_reading->ended; };
    bool told = false;
    while (!m_reading->changed.wait_until(lock, stop, tell, come)) {
        if (stop.stop_requested()) return makeError(Code::Cancelled, "Reading rows was cancelled.");
        note("Paused: the disk has not given the next rows for ");
        told = true;
        tell += (std::chrono::steady_clock::now() - begin) * 2;
    }
    if (told) note("The disk gives rows again, after ");
    if (m_reading->failure) return *m_reading->failure;
    if (!m_reading->ready) return makeError(Code::Internal, "The rows ended before their epoch.");
    m_window = std::move(*m_reading->ready);
    m_reading->ready.reset();
    m_windowRows = m_window.features.size() / m_width;
    m_reading->changed.notify_all();
    return {};
}

Result<const Batch*> StoredLoader::next(std::stop_token stop)
{
    if (stop.stop_requested()) return makeError(Code::Cancelled, "Reading rows was cancelled.");
    if (m_step >= stepsPerEpoch()) return nullptr;
    const auto count = static_cast<std::size_t>(rowsOfStep(m_step));
    if (m_windowRows == 0) {
        MR_CHECK(takeWindow(stop)); // the epoch's first; m_fed says where in it to begin
    }
    m_joined.features.clear();
    m_joined.labels.clear();
    m_joined.targets.clear();
    std::size_t joined = 0;
    while (joined + m_windowRows - m_fed < count) {
        const std::size_t part = m_windowRows - m_fed;
        const auto append = [&](auto& to, const auto& from, std::size_t width) {
            if (!from.empty())
                to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(m_fed * width), from.end());
        };
        append(m_joined.features, m_window.features, m_width);
        append(m_joined.labels, m_window.labels, 1);
        append(m_joined.targets, m_window.targets, 1);
        joined += part;
        m_fed = m_windowRows; // should the wait be cancelled
        MR_CHECK(takeWindow(stop));
        m_fed = 0;
    }
    feed(count, joined);
    m_step += 1;
    return &m_batch;
}

/// The batch: `joined` rows were copied from windows before, the others are the next of this one.
void StoredLoader::feed(std::size_t count, std::size_t joined)
{
    const std::size_t first = m_fed, taken = count - joined;
    m_fed += taken;
    const auto part = [&](auto& copied, const auto& window, std::size_t width) {
        const auto rest =
            std::span(window).subspan(window.empty() ? 0 : first * width, window.empty() ? 0 : taken * width);
        if (joined == 0) return rest;
        copied.insert(copied.end(), rest.begin(), rest.end());
        return decltype(rest)(copied);
    };
    m_batch.rows = static_cast<std::int64_t>(count);
    m_batch.features = part(m_joined.features, std::as_const(m_window.features), m_width);
    m_batch.labels = part(m_joined.labels, std::as_const(m_window.labels), 1);
    m_batch.targets = part(m_joined.targets, std::as_const(m_window.targets), 1);
}

void StoredLoader::leave()
{
    if (!m_reading) return;
    m_thread.request_stop();
    std::unique_lock lock(m_reading->mutex);
    const bool ended = m_reading->changed.wait_for(lock, kFarewell, [&] { return m_reading->ended; });
    lock.unlock();
    // a thread that hangs in the kernel cannot be ended; it holds all it uses and ends when the disk answers
    if (ended)
        m_thread.join();
    else
        m_thread.detach();
    m_reading.reset();
}

} // namespace

std::unique_ptr<Loader> createStoredLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
{
    return std::make_unique<StoredLoader>(std::move(dataset), options);
}

} // namespace millrace::data

// A libcuda.so.1 that says what $FAKE_CUDA tells it to: words separated by commas.
//   version=12080   the CUDA version that it supports      no-device   there is no GPU to see
//   broken=803      cuInit fails with that error
#include <cstdlib>
#include <cstring>

namespace {

const char* told(const char* word)
{
    const char* words = std::getenv("FAKE_CUDA");
    const char* at = words ? std::strstr(words, word) : nullptr;
    return at ? at + std::strlen(word) : nullptr;
}

} // namespace

extern "C" {

int cuInit(unsigned)
{
    const char* error = told("broken=");
    return error ? std::atoi(error) : 0;
}
int cuDriverGetVersion(int* version)
{
    const char* given = told("version=");
    *version = given ? std::atoi(given) : 13000;
    return 0;
}
int cuDeviceGetCount(int* count)
{
    *count = told("no-device") ? 0 : 2;
    return 0;
}
int cuGetErrorString(int error, const char** words)
{
    *words = error == 803 ? "system has unsupported display driver / cuda driver combination" : nullptr;
    return error == 803 ? 0 : 1;
}

} // extern "C"

#include "kernels/base/hash.h"

#include "kernels/base/files.h"

#include <array>
#include <fcntl.h>
#include <openssl/evp.h>
#include <vector>

namespace millrace {

struct Sha256::Context
{
    EVP_MD_CTX* evp = EVP_MD_CTX_new();
    ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : m_context(std::make_unique<Context>())
{
    EVP_DigestInit_ex(m_context->evp, EVP_sha256(), nullptr);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::string_view bytes)
{
    EVP_DigestUpdate(m_context->evp, bytes.data(), bytes.size());
}

std::string Sha256::hex()
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    EVP_DigestFinal_ex(m_context->evp, digest.data(), &length);
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (unsigned int i = 0; i < length; ++i) {
        text += kDigits[digest[i] >> 4];
        text += kDigits[digest[i] & 15];
    }
    return text;
}

std::string sha256(std::string_view bytes)
{
    Sha256 hash;
    hash.add(bytes);
    return hash.hex();
}

Result<std::string> sha256OfFile(const std::string& path)
{
    MR_TRY(const FileHandle file, FileHandle::open(path, O_RDONLY));
    Sha256 hash;
    std::vector<char> buffer(1 << 20);
    for (;;) {
        MR_TRY(const std::size_t count, file.read(buffer.data(), buffer.size()));
        if (count == 0) return hash.hex();
        hash.add({buffer.data(), count});
    }
}

} // namespace millrace

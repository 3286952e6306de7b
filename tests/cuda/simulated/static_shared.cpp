// __shared__ is a thread-local variable of a function (device_language.h): no other variables of kernels/cuda are, so
// the symbol table of the program or library that this code is part of tells where they lie.
#include "tests/cuda/simulated/static_shared.h"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::kernels::cuda::simulated {

namespace {

struct Piece
{
    std::size_t offset, sizeBytes; // in the thread's block of variables
};

/// The program or library that holds this function.
struct Module
{
    std::string path;
    std::byte* variables = nullptr; ///< of the calling thread
};

int findModule(dl_phdr_info* info, std::size_t, void* result)
{
    const auto here = reinterpret_cast<std::uintptr_t>(&poisonStaticShared);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const auto& part = info->dlpi_phdr[i];
        const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
        if (part.p_type != PT_LOAD || here < begin || here >= begin + part.p_memsz) continue;
        *static_cast<Module*>(result) = {*info->dlpi_name != '\0' ? info->dlpi_name : "/proc/self/exe",
                                         static_cast<std::byte*>(info->dlpi_tls_data)};
        return 1;
    }
    return 0;
}

bool isShared(const ElfW(Sym) & symbol, std::string_view name)
{
    return (symbol.st_info & 0xF) == STT_TLS && name.starts_with("_ZZ") && name.find("7kernels4cuda") != name.npos;
}

std::vector<Piece> readPieces(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::vector<Piece> pieces;
    ElfW(Ehdr) header{};
    if (content.size() < sizeof header) return pieces;
    std::memcpy(&header, content.data(), sizeof header);
    std::vector<ElfW(Shdr)> sections(header.e_shnum);
    std::memcpy(sections.data(), content.data() + header.e_shoff, sections.size() * sizeof(ElfW(Shdr)));
    for (const auto& section : sections) {
        if (section.sh_type != SHT_SYMTAB) continue;
        const char* names = content.data() + sections[section.sh_link].sh_offset;
        for (std::size_t at = 0; at < section.sh_size; at += sizeof(ElfW(Sym))) {
            ElfW(Sym) symbol{};
            std::memcpy(&symbol, content.data() + section.sh_offset + at, sizeof symbol);
            if (isShared(symbol, names + symbol.st_name)) pieces.push_back({symbol.st_value, symbol.st_size});
        }
    }
    return pieces;
}

} // namespace

void poisonStaticShared()
{
    Module module;
    dl_iterate_phdr(findModule, &module);
    static const std::vector<Piece> pieces = readPieces(module.path);
    if (module.variables == nullptr) return; // this thread has run no kernel yet
    for (const Piece& piece : pieces) std::fill_n(module.variables + piece.offset, piece.sizeBytes, std::byte{0xFF});
}

} // namespace millrace::kernels::cuda::simulated

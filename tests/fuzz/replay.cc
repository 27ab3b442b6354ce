// main() of a fuzz target where the compiler brings no libFuzzer: runs the corpus, then mutations
// of it from a seed. Takes of libFuzzer's arguments -runs=N, -seed=N, and files and directories.
// The input that broke it is left in the file fuzz-last-input.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }

namespace {

constexpr std::size_t kInputBytesMax = 4'096;

std::vector<std::string> ReadAll(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> files{path};
  if (std::filesystem::is_directory(path)) {
    files.assign(std::filesystem::directory_iterator(path), {});
    std::sort(files.begin(), files.end());
  }
  std::vector<std::string> inputs;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

const std::string* running = nullptr;

// A broken CHECK and each of the sanitizers' findings end here.
void OnAbort(int) {
  const int file = open("fuzz-last-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && running != nullptr && write(file, running->data(), running->size()) > 0) {
    close(file);
  }
}

void Run(const std::string& input) {
  running = &input;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

// One change: a byte, a part taken out, doubled, or put in from another input.
void Mutate(const std::string& other, std::mt19937_64* random, std::string* input) {
  const auto below = [random](std::size_t n) { return n == 0 ? 0 : (*random)() % n; };
  const std::size_t at = below(input->size());
  const std::size_t bytes = 1 + below(16);
  switch (below(5)) {
    case 0:
      if (!input->empty()) (*input)[at] = static_cast<char>((*random)());
      break;
    case 1:
      if (!input->empty()) (*input)[at] = static_cast<char>((*input)[at] ^ 1 << below(8));
      break;
    case 2:
      if (!input->empty()) input->erase(at, bytes);
      break;
    case 3:
      input->insert(at, input->substr(at, bytes));
      break;
    default:
      if (!other.empty()) input->insert(at, other.substr(below(other.size()), 4 * bytes));
  }
  if (input->size() > kInputBytesMax) input->resize(kInputBytesMax);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, OnAbort);
  std::uint64_t runs = 0;
  std::uint64_t seed = 1;
  std::vector<std::string> corpus;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with("-runs=")) {
      runs = std::strtoull(argument.c_str() + 6, nullptr, 10);
    } else if (argument.starts_with("-seed=")) {
      seed = std::strtoull(argument.c_str() + 6, nullptr, 10);
    } else {
      std::ranges::move(ReadAll(argument), std::back_inserter(corpus));
    }
  }
  for (const std::string& input : corpus) Run(input);
  std::mt19937_64 random(seed);
  const auto any = [&corpus, &random] {
    return corpus.empty() ? std::string() : corpus[random() % corpus.size()];
  };
  for (std::uint64_t run = corpus.size(); run < runs; ++run) {
    std::string input = any();
    for (std::uint64_t changes = 1 + random() % 8; changes > 0; --changes) {
      Mutate(any(), &random, &input);
    }
    Run(input);
  }
  std::printf("%zu inputs, %llu runs from seed %llu\n", corpus.size(),
              static_cast<unsigned long long>(std::max<std::uint64_t>(runs, corpus.size())),
              static_cast<unsigned long long>(seed));
  return 0;
}

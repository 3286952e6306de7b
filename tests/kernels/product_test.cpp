// The small products of every instruction set that this machine has, against plain loops in double.
#include "kernels/base/random.h"
#include "kernels/cpu/product.h"

#include <QtTest>

#include <cmath>
#include <vector>

using namespace millrace;
using namespace millrace::kernels::cpu;

namespace {

std::vector<float> drawn(std::int64_t count, const char* what)
{
    Random random(7, streamOf(what));
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = static_cast<float>(random.normal());
    return values;
}

constexpr float kGuard = 1234.5F;

} // namespace

class ProductTest : public QObject
{
    Q_OBJECT

private slots:
    void blocksMultiply_data();
    void blocksMultiply();
    void blocksTranspose_data() { addCodes(); }
    void blocksTranspose();
    void bitsDoNotDependOnThreads();

private:
    static void addCodes()
    {
        QTest::addColumn<int>("code");
        for (std::size_t i = 0; i < runnableBlockCodes().size(); ++i)
            QTest::addRow("%d columns", static_cast<int>(runnableBlockCodes()[i]->columns)) << static_cast<int>(i);
    }
};

void ProductTest::blocksMultiply_data()
{
    addCodes();
}

/// Every remainder of rows and columns, each way to start, and nothing written beside c.
void ProductTest::blocksMultiply()
{
    QFETCH(int, code);
    const BlockCode& blocks = *runnableBlockCodes()[static_cast<std::size_t>(code)];
    constexpr std::int64_t kDepth = 5;
    for (std::int64_t m = 1; m <= 2 * blocks.rows; ++m) {
        for (std::int64_t n = 1; n <= blocks.columns + 9; ++n) {
            for (const auto start : {Block::Start::Zero, Block::Start::Bias, Block::Start::Accumulate}) {
                const auto a = drawn(m * kDepth, "a"), b = drawn(kDepth * n, "b"), bias = drawn(n, "bias");
                auto c = drawn(m * (n + 1), "c");
                for (std::int64_t i = 0; i < m; ++i) c[static_cast<std::size_t>(i * (n + 1) + n)] = kGuard;
                const auto before = c;
                blocks.multiply({.m = m,
                                 .n = n,
                                 .k = kDepth,
                                 .a = a.data(),
                                 .aRow = kDepth,
                                 .aColumn = 1,
                                 .b = b.data(),
                                 .bRow = n,
                                 .bPanel = blocks.columns,
                                 .c = c.data(),
                                 .cRow = n + 1,
                                 .start = start,
                                 .bias = bias.data()});
                for (std::int64_t i = 0; i < m; ++i) {
                    for (std::int64_t j = 0; j < n; ++j) {
                        const auto at = static_cast<std::size_t>(i * (n + 1) + j);
                        double sum = start == Block::Start::Zero   ? 0
                                     : start == Block::Start::Bias ? bias[static_cast<std::size_t>(j)]
                                                                   : before[at];
                        for (std::int64_t p = 0; p < kDepth; ++p)
                            sum += static_cast<double>(a[static_cast<std::size_t>(i * kDepth + p)]) *
                                   static_cast<double>(b[static_cast<std::size_t>(p * n + j)]);
                        QVERIFY(std::abs(static_cast<double>(c[at]) - sum) < 1e-5);
                    }
                    QCOMPARE(c[static_cast<std::size_t>(i * (n + 1) + n)], kGuard);
                }
            }
        }
    }
}

void ProductTest::blocksTranspose()
{
    QFETCH(int, code);
    const BlockCode& blocks = *runnableBlockCodes()[static_cast<std::size_t>(code)];
    for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {16, 16}, {33, 18}, {7, 40}}) {
        const auto from = drawn(rows * columns, "from");
        std::vector<float> to(from.size()), groups(static_cast<std::size_t>(rows * (columns + blocks.rows)));
        blocks.transpose(from.data(), columns, to.data(), rows, rows, columns);
        blocks.packGroups(from.data(), columns, rows, columns, groups.data());
        for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t c = 0; c < columns; ++c) {
                const float expected = from[static_cast<std::size_t>(r * columns + c)];
                QCOMPARE(to[static_cast<std::size_t>(c * rows + r)], expected);
                const std::int64_t group = c / blocks.rows * blocks.rows;
                QCOMPARE(groups[static_cast<std::size_t>(group * rows + r * blocks.rows + c - group)], expected);
            }
        }
    }
}

/// A product large enough for three threads, in each precision and however the factors lie.
void ProductTest::bitsDoNotDependOnThreads()
{
    constexpr std::int64_t kM = 130, kN = 250, kK = 777;
    const auto a = drawn(kM * kK, "a"), b = drawn(kK * kN, "b");
    for (const bool aTransposed : {false, true}) {
        for (const auto precision : {kernels::Precision::F32, kernels::Precision::Bf16}) {
            std::vector<std::vector<float>> results;
            for (const int threads : {1, 3}) {
                const Product product({.m = kM, .n = kN, .k = kK, .aTransposed = aTransposed, .precision = precision},
                                      threads);
                std::vector<float> c(kM * kN), scratch(product.scratchBytes() / sizeof(float) + 16);
                product.run({a.data(), aTransposed ? kM : kK}, {b.data(), kN}, Block::Start::Zero, nullptr, c.data(),
                            reinterpret_cast<std::byte*>(scratch.data()));
                results.push_back(c);
            }
            QVERIFY(results[0] == results[1]);
        }
    }
}

QTEST_GUILESS_MAIN(ProductTest)
#include "product_test.moc"

// What the kernels offer: data only, no function bodies. One `Target` per CPU target (see target.cpp),
// chosen at run time by runtime/dispatch.
//
// A kernel is serial and pure: grids in, grids out; it allocates nothing, checks nothing and cannot fail.
#pragma once

#include <cstddef>
#include <cstdint>

namespace chainrule {

using Index = std::ptrdiff_t;

// Bytes of a cache line, of a vector (on narrower CPUs: of a group of registers) and of a panel's row.
constexpr Index line_bytes = 64;
template <class T> constexpr Index lanes = line_bytes / static_cast<Index>(sizeof(T));

// Element (r, c) of a matrix stands at data[r * row + (c / lanes) * vec + c % lanes].
//   row-major array: row = number of columns, vec = lanes
//   panels:          row = lanes, vec = length of a panel; a panel is `lanes` columns wide
//   one row for all: row = 0
template <class T> struct Grid {
    T* data;
    Index row;
    Index vec;
};

enum class Activation : int { linear, relu, sigmoid, tanh, softmax };

// output = init + sum over k, in order, of a(., k) * b(k, .), one fused multiply-add each.
//   product:    a is (rows, inner), b is (inner, cols)
//   product_tn: a is (inner, rows), b is (inner, cols)
//   product_nt: a is (rows, inner), b is (cols, inner); lane-wise partial sums, added in a fixed tree
//   partial_sums_nt: the same, but the partial sums are not yet added
// Partial sums of element (r, c) are the vector at data[r * row + c * vec]: the output of partial_sums_nt, and init of both.
// `padded`: every grid may be read and written up to whole vectors.
template <class T> struct Product {
    Index rows, inner, cols;
    Grid<const T> a, b, init;  // init.data == nullptr: zero
    Grid<T> output;
    bool padded;
    bool relu;                 // output = max(output, 0); product, product_tn
    bool prefetch;             // fetch ahead what comes next: product the next panels of b, product_tn those of a and the next rows of b
    // In product of whole vectors: the sums, gradients of an activation's output, go on through its derivative.
    Activation derivative = Activation::linear;
    Grid<const T> activated = {nullptr, 0, 0};  // the activation's output, with the strides of `output`
};

enum class Loss : int {
    half_squared_error,
    mean_squared_error,
    mean_absolute_error,
    binary_crossentropy,
    categorical_crossentropy,
    softmax_crossentropy,  // outputs are logits; the kernel turns them into probabilities
};

enum class Metric : int { none, categorical, binary, regression };

// Loss, gradient and accuracy of `rows` samples. Any result whose pointer is null is left out.
template <class T> struct LossJob {
    Loss loss;
    Metric metric;
    Index rows, cols;
    Grid<T> output;                 // (rows, cols); softmax_crossentropy replaces logits by probabilities
    bool samples_in_lanes;          // output, targets, dvalues are stored transposed: (cols, rows)
    Grid<const T> targets;          // (rows, cols), or
    const std::int64_t* labels;     // (rows): one class each
    T* sample_losses;               // (rows)
    T* hits;                        // (rows): share of right predictions
    Grid<T> dvalues;                // (rows, cols): gradient times scale
    T scale;                        // 1 / n, used where sample_scale is null
    const T* sample_scale;          // (rows)
    double precision;               // Metric::regression counts |p - y| < precision
    T* scratch;                     // 3 * cols * lanes elements
    bool padded;                    // grids may be read and written up to whole vectors
};

enum class Rule : int { sgd, momentum, nesterov, adagrad, rmsprop, adam };

// One step of an optimizer over n elements, with the regularisation's share of the gradient.
struct UpdateRule {
    Rule rule;
    double rate, momentum, epsilon, rho, beta_1, beta_2, correction_1, correction_2;
    double decay;   // rate * weight_decay: the share of the parameter that is taken off first
    double l1, l2;  // added to the gradient: l1 * sign(w) + 2 * l2 * w, sign(0) = +1
};

template <class T> struct UpdateJob {
    UpdateRule rule;
    Index n;
    const T* gradient;
    T* parameter;
    T* momentums;  // where the rule has them
    T* cache;
};

// Updates a block of weights (rows, cols) that stands in panels and writes the transposed copy beside it.
template <class T> struct PanelUpdateJob {
    UpdateRule rule;
    Index rows, vectors;         // `vectors` panels side by side
    const T* gradient;           // (vectors, rows, lanes)
    T* parameter;                // panel layout: row r of vector v at v * panel + r * lanes
    Index panel;
    T* momentums;                // same layout as parameter, or null
    T* cache;
    T* transposed;               // null: none; for each `lanes` rows a panel, with row j of vector v at (v * lanes + j) * lanes
    Index transposed_panel;
    Index transposed_rows;       // neurons left from the first vector on: rows beyond are not written
};

// The same for few samples: the gradient inputs^T . dvalues of a row is made where it is used.
template <class T> struct SkinnyUpdateJob {
    UpdateRule rule;
    Index rows, vectors, samples;  // samples <= few_samples
    Grid<const T> inputs;          // (samples, rows)
    Grid<const T> dvalues;         // (samples, vectors * lanes)
    T* parameter;                  // row r of vector v at v * panel + r * lanes
    Index panel;
    T* momentums;                  // same layout as parameter, or null
    T* cache;
};
constexpr Index few_samples = 4;

// Rows of user data, gathered into panels or, transposed, into (cols, rows).
template <class T> struct GatherJob {
    Index rows, cols;
    const void* source;          // row-major
    bool source_is_double;
    Index source_row;            // elements between rows
    const std::int64_t* order;   // null: rows 0, 1, ...
    Index first;                 // first row (or first place in order)
    Grid<T> output;
};

template <class T> struct Kernels {
    int product_rows, product_vectors;        // largest tile of `product`
    int product_tn_rows, product_tn_vectors;  // largest tile of `product_tn`

    void (*product)(const Product<T>&) noexcept;
    void (*product_tn)(const Product<T>&) noexcept;
    void (*product_nt)(const Product<T>&) noexcept;
    void (*partial_sums_nt)(const Product<T>&) noexcept;
    void (*transpose)(Index rows, Index cols, Grid<const T> source, Grid<T> output) noexcept;
    void (*gather)(const GatherJob<T>&) noexcept;
    void (*gather_transposed)(const GatherJob<T>&) noexcept;

    void (*activation_forward)(Activation, Index n, const T* inputs, T* output) noexcept;
    void (*activation_backward)(Activation, Index n, const T* dvalues, const T* output, T* dinputs) noexcept;
    void (*softmax_forward)(Index rows, Index cols, Grid<const T> inputs, Grid<T> output, T* scratch,
                            bool samples_in_lanes, bool padded) noexcept;
    void (*softmax_backward)(Index rows, Index cols, Grid<const T> dvalues, Grid<const T> output, Grid<T> dinputs,
                             T* scratch, bool samples_in_lanes, bool padded) noexcept;
    void (*dropout_mask)(Index n, double keep, std::uint64_t key, std::uint64_t step, std::uint64_t first, T* mask) noexcept;
    void (*multiply)(Index n, const T* a, const T* b, T* output) noexcept;
    void (*logarithm)(Index n, const T* inputs, T* output) noexcept;

    void (*loss)(const LossJob<T>&) noexcept;
    void (*update)(const UpdateJob<T>&) noexcept;
    void (*update_panels)(const PanelUpdateJob<T>&) noexcept;
    void (*update_skinny)(const SkinnyUpdateJob<T>&) noexcept;
    void (*regularize)(Index n, T l1, T l2, const T* parameter, T* gradient) noexcept;
    double (*sum)(Index n, const T* x) noexcept;
    double (*sum_of_squares)(Index n, const T* x) noexcept;
    double (*fma_chain)(Index repeats) noexcept;  // flops done: the measure of the machine's peak
};

struct Target {
    const char* name;
    bool fused;  // has fused multiply-add: such targets give the same bits
    Kernels<float> f32;
    Kernels<double> f64;
};

}  // namespace chainrule

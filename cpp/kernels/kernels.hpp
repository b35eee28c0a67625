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

// --- the catalogue: what everybody else knows of an activation, a loss, a rule, a metric ----------------------------
//
// A part is a number: its place in its list (activations.inl, losses.inl, rules.inl, metrics.inl), the same on every target.

enum class Activation : int { identity };  // the first of the list; the others have names in the catalogue only
enum class Loss : int {};
enum class Rule : int {};
enum class Metric : int { none };

constexpr int most_names = 4;
struct Names {
    const char* name[most_names];
    int count;
};

struct ActivationEntry {
    const char *name, *forward, *backward;  // the formulas as text
    Names parameters;
    bool by_rows;             // works on whole rows (softmax), else element by element
    bool needs_inputs;        // the derivative is written in the inputs, else in the output
    bool needs_sign;          // the derivative is dvalues where the output is above 0, else 0: a dropped output says as much
    bool forward_in_tile, derivative_in_tile;  // few enough operations for a product's epilogue
    Index cost;               // vector operations an element takes, forward and back
};

// What targets may be.
enum class Domain : int { real, unit_interval, not_negative, signs };  // signs: -1 and 1, or 0 and 1

struct LossEntry {
    const char *name, *value, *gradient;
    Names parameters;
    bool parameter_per_output;  // as many of the one named as there are outputs
    bool one_target;            // targets have one column, whatever the number of outputs
    bool labels;                // takes class labels too
    Domain domain;
    int joins;                  // the activation it includes, or -1: outputs then come as that activation's inputs
};

struct RuleEntry {
    const char *name, *formula;
    Names states;      // arrays of the parameter's shape that it keeps
    Names parameters;
    bool counts_steps;  // the constants change with the number of the step
    // What a step needs, computed once for all elements: `step` counts a parameter's own steps from 1.
    void (*prepare)(const double* parameters, double rate, double step, double* constants) noexcept;
};

struct MetricEntry {
    const char *name, *formula;
};

template <class Entry> struct Entries {
    const Entry* entry;
    int count;
    const Entry* begin() const { return entry; }
    const Entry* end() const { return entry + count; }
    template <class Part> const Entry& operator[](Part part) const { return entry[static_cast<int>(part)]; }
};

struct Catalogue {
    Entries<ActivationEntry> activations;
    Entries<LossEntry> losses;
    Entries<RuleEntry> rules;
    Entries<MetricEntry> metrics;
};

// --- jobs -----------------------------------------------------------------------------------------------------------

// output = init + sum over k, in order, of a(., k) * b(k, .), one fused multiply-add each.
//   product:    a is (rows, inner), b is (inner, cols)
//   product_tn: a is (inner, rows), b is (inner, cols)
//   product_tn_few: the same for few samples (inner), of whole vectors
//   product_nt: a is (rows, inner), b is (cols, inner); lane-wise partial sums, added in a fixed tree
//   lane_sums_nt: the same, but the partial sums are not yet added
// Partial sums of element (r, c) are the vector at data[r * row + c * vec]: the output of lane_sums_nt, and init of both.
// `padded`: every grid may be read and written up to whole vectors.
template <class T> struct Product {
    Index rows, inner, cols;
    Grid<const T> a, b, init;  // init.data == nullptr: zero
    Grid<T> output;
    bool padded;
    bool prefetch;             // fetch ahead what comes next: product the next panels of b, product_tn those of a and the next rows of b
    bool init_last = false;    // init is added to the whole sum, which began at zero; product_tn, product_nt, lane_sums_nt
    // The sums go on through an activation (forward_in_tile; without parameters in product_tn); product, product_tn.
    Activation activation = Activation::identity;
    // In product of whole vectors: the sums, gradients of an activation's output, go on through its derivative (derivative_in_tile).
    Activation derivative = Activation::identity;
    Grid<const T> saved = {nullptr, 0, 0};  // what the derivative is written in, with the strides of `output`
    const double* parameters = nullptr;     // of either activation
    T factor = 1;                           // what the sums are multiplied with before a derivative that needs_sign
};

constexpr Index few_samples = 4;

// Loss, gradient and accuracy of `rows` samples. Any result whose pointer is null is left out.
template <class T> struct LossJob {
    Metric metric;
    Index rows, cols;
    Grid<T> output;                 // (rows, cols); a joint loss replaces its activation's inputs by the output
    bool activated;                 // of a joint loss: they are its activation's output already
    bool samples_in_lanes;          // output, targets, dvalues are stored transposed: (cols, rows)
    Index target_cols;              // cols, or 1 where one target serves all outputs
    Grid<const T> targets;          // (rows, target_cols), or
    const std::int64_t* labels;     // (rows): one class each
    T* sample_losses;               // (rows)
    T* hits;                        // (rows): share of right predictions
    Grid<T> dvalues;                // (rows, cols): gradient times scale
    T scale;                        // 1 / n, used where sample_scale is null
    const T* sample_scale;          // (rows)
    const double* parameters;       // of the loss
    double precision;               // the regression metric counts |p - y| < precision
    T* scratch;                     // 3 * cols * lanes elements
    bool padded;                    // grids may be read and written up to whole vectors
};

// One step of a rule on one parameter, as RuleEntry::prepare left it.
constexpr int most_constants = 8, most_states = 3;
struct UpdateRule {
    Rule rule;
    double constants[most_constants];
    double decay;   // the share of the parameter that is taken off first
    double l1, l2;  // added to the gradient: l1 * sign(w) + 2 * l2 * w, sign(0) = +1
};

template <class T> struct UpdateJob {
    UpdateRule rule;
    Index n;
    const T* gradient;
    T* parameter;
    T* states[most_states];  // as many as the rule has
};

// Updates a block of weights (rows, columns) that stands in panels and writes the transposed copy beside it.
template <class T> struct PanelUpdateJob {
    UpdateRule rule;
    Index rows, vectors;         // `vectors` panels side by side
    Index columns;               // neurons from the first vector on: lanes beyond them stay 0, in the states too
    const T* gradient;           // (vectors, rows, lanes)
    T* parameter;                // panel layout: row r of vector v at v * panel + r * lanes
    Index panel;
    T* states[most_states];      // same layout as parameter
    T* transposed;               // null: none; for each `lanes` rows a panel, with row j of vector v at (v * lanes + j) * lanes
    Index transposed_panel;
};

// Numbers that samples may come in.
enum class Number : int { float32, float64, uint8, int8, uint16, int16, uint32, int32, uint64, int64 };
template <class T> constexpr Number number_of = sizeof(T) == sizeof(double) ? Number::float64 : Number::float32;
constexpr bool is_float(Number number) { return number == Number::float32 || number == Number::float64; }

// Rows of user data, gathered into panels or, transposed, into (cols, rows).
template <class T> struct GatherJob {
    Index rows, cols;
    const void* source;          // row-major
    Number numbers;              // gather_transposed: floats only
    Index source_row;            // elements between rows
    const std::int64_t* order;   // null: rows 0, 1, ...
    Index first;                 // first row (or first place in order)
    Grid<T> output;
};

// Which elements a dropout keeps: bit c % 32 of the word at data[r * row + c / 32 * vec].
struct KeptBits {
    std::uint32_t* data;
    Index row, vec;
};

// Draws the bits of (rows, cols) elements, numbers first, first + 1, ... of the stream row by row; those behind a row are 0.
struct DrawJob {
    Index rows, cols;
    double keep;
    std::uint64_t key, step, first;
    KeptBits bits;
};

// output = values * mask, mask = kept where the bit is set, else 0; values and output may be the same. Whole vectors are
// read and written.
template <class T> struct DropJob {
    Index rows, cols;
    bool samples_in_lanes;  // values and output are stored transposed, and the bits have row = 1; else they have vec = 1
    Grid<const T> values;
    KeptBits bits;
    T kept;
    Grid<T> output;
};

// Periodic features of columns x of user data, with a row of parameters each; all arrays are row-major.
//   output: `mixed` columns of sum over k of cos(2 pi frequencies_k x + phases_k) * weights_k + biases, then x
//   sums:   of a column, over the rows: gradients of its frequencies, phases, weights and biases, one behind the other
template <class T> struct PeriodicJob {
    Index rows, columns, n_frequencies, mixed;
    const T *frequencies, *phases;  // (columns, n_frequencies)
    const T* weights;               // (columns, n_frequencies, mixed)
    const T* biases;                // (columns, mixed); forward
    const T* inputs;
    Index input_row;                // elements between rows, of dinputs too
    T* output;                      // forward
    const T* dvalues;               // backward
    Index output_row;               // of dvalues too
    T* dinputs;                     // null: not asked for
    T* sums;
    T* scratch;                     // periodic_scratch elements
    // always inline: a copy out of line would be one for each CPU target, of which the linker keeps any
    [[gnu::always_inline]] Index sums_of_column() const { return n_frequencies * (2 + mixed) + mixed; }
};
template <class T> constexpr Index periodic_scratch(Index n_frequencies, Index mixed) {
    return lanes<T> * (n_frequencies * (2 + mixed) + 2 * mixed + 1);  // a vector for each sum of a column, and its dvalues
}

// output = (1 - a) * inputs + a * activated with a for each column, and back: `through` is the gradient that the activation
// gives its inputs, sums (columns) those of a over the rows. Row-major.
template <class T> struct ParametricJob {
    Index rows, columns, row;  // elements between rows
    const T *inputs, *activated, *shares;
    T* output;                 // forward
    const T *dvalues, *through;
    T *dinputs, *sums;         // dinputs null: not asked for
};

// --- tables of functions ----------------------------------------------------------------------------------------------

template <class T> struct ActivationKernels {
    // element by element; `saved` is what the derivative is written in. Null where it works by rows
    void (*forward)(Index n, const double* parameters, const T* inputs, T* output) noexcept;
    void (*backward)(Index n, const double* parameters, const T* dvalues, const T* saved, T* dinputs) noexcept;
    // by rows; null where it works element by element
    void (*forward_rows)(Index rows, Index cols, Grid<const T> inputs, Grid<T> output, T* scratch, bool samples_in_lanes, bool padded) noexcept;
    void (*backward_rows)(Index rows, Index cols, Grid<const T> dvalues, Grid<const T> output, Grid<T> dinputs, T* scratch, bool samples_in_lanes,
                          bool padded) noexcept;
};

template <class T> struct RuleKernels {
    void (*update)(const UpdateJob<T>&) noexcept;
    void (*update_panels)(const PanelUpdateJob<T>&) noexcept;
};

template <class T> using LossKernel = void (*)(const LossJob<T>&) noexcept;

// Places of a list, by the part.
template <class Kernel> struct Table {
    const Kernel* kernel;
    template <class Part> const Kernel& operator[](Part part) const { return kernel[static_cast<int>(part)]; }
};

template <class T> struct Kernels {
    int product_rows, product_vectors;  // largest tile of `product`
    int product_tn_vectors;             // widest tile of `product_tn`

    Table<ActivationKernels<T>> activations;
    Table<LossKernel<T>> losses;
    Table<RuleKernels<T>> rules;

    void (*product)(const Product<T>&) noexcept;
    void (*product_tn)(const Product<T>&) noexcept;
    void (*product_tn_few)(const Product<T>&) noexcept;
    void (*product_nt)(const Product<T>&) noexcept;
    void (*lane_sums_nt)(const Product<T>&) noexcept;
    void (*transpose)(Index rows, Index cols, Grid<const T> source, Grid<T> output) noexcept;
    void (*gather)(const GatherJob<T>&) noexcept;
    void (*gather_transposed)(const GatherJob<T>&) noexcept;

    void (*draw_dropout)(const DrawJob&) noexcept;
    void (*drop)(const DropJob<T>&) noexcept;
    void (*dropout_forward)(Index n, double keep, std::uint64_t key, std::uint64_t step, std::uint64_t first, const T* inputs, T* output, T* mask) noexcept;
    void (*multiply)(Index n, const T* a, const T* b, T* output) noexcept;
    // output = inputs * factors of the columns, and the sums over samples of a * b; whole vectors are read and written.
    void (*scale_columns)(Index rows, Index cols, Grid<const T> inputs, const T* factors, Grid<T> output, bool samples_in_lanes) noexcept;
    void (*sum_products)(Index rows, Index cols, Grid<const T> a, Grid<const T> b, T* sums, bool samples_in_lanes) noexcept;

    void (*periodic_forward)(const PeriodicJob<T>&) noexcept;
    void (*periodic_backward)(const PeriodicJob<T>&) noexcept;
    void (*parametric_forward)(const ParametricJob<T>&) noexcept;
    void (*parametric_backward)(const ParametricJob<T>&) noexcept;

    void (*regularize)(Index n, T l1, T l2, const T* parameter, T* gradient) noexcept;
    double (*sum)(Index n, const T* x) noexcept;
    double (*sum_of_squares)(Index n, const T* x) noexcept;
    double (*fma_chain)(Index repeats) noexcept;  // flops done: the measure of the machine's peak
};

struct Target {
    const char* name;
    Catalogue catalogue;
    Kernels<float> f32;
    Kernels<double> f64;
};

}  // namespace chainrule

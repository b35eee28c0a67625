#include "model/predictor.hpp"

#include <algorithm>

#include "model/blocks.hpp"
#include "model/grids.hpp"
#include "model/network.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/team.hpp"

namespace chainrule::model {
namespace {

using runtime::FloatingPointState;
using runtime::Range;
using runtime::Subnormals;
using runtime::Worker;

// Bytes of weights that a few rows walk over at a time, so that long rows lie on few pages; and the least rows of them (guess).
constexpr Index bytes_at_a_time = 64 * 1024, least_inner = 16;
// Of a block: the work of so many outweighs the walk over weights that stay in no cache (guess).
constexpr Index least_rows = 96;
// Copying takes about a nanosecond a weight, as in engine_panels.
constexpr double flops_a_byte = 25;
// Weights of this size leave L2 between two blocks, as in engine_panels.
constexpr Index streamed_bytes = 768 * 1024;
// Fewer rows cost less with weights read in place; of weights whose rows lie a page apart, where a second tile of samples would
// miss the cache again, one tile (chosen on `small`, `tabular` and 1024-1024-1024-10).
constexpr Index few_rows = 24, page_bytes = 4096;
// A smaller call of few rows does not ask for threads: flops.
constexpr double worth_asking = 2e5;

template <class T> Index whole_vectors(Index columns) { return panels_of<T>(columns) * lanes<T>; }

template <class T> const ActivationEntry& entry_of(const ForwardStep<T>& step) { return catalogue().activations[step.activation]; }
template <class T> bool has_activation(const ForwardStep<T>& step) { return step.activation != Activation::identity; }
template <class T> bool in_tile(const ForwardStep<T>& step) { return step.map == Map::product && entry_of(step).forward_in_tile; }
template <class T> bool by_rows(const ForwardStep<T>& step) { return has_activation(step) && entry_of(step).by_rows; }
template <class T> bool by_elements(const ForwardStep<T>& step) { return has_activation(step) && !entry_of(step).by_rows && !in_tile(step); }

template <class T> void set_activation(Product<T>& job, const ForwardStep<T>& step) {
    if (!in_tile(step)) return;
    job.activation = step.activation;
    job.parameters = step.parameters;
}

template <class T> double flops_of(const ForwardStep<T>& step) {
    const double each = (step.map == Map::product ? 2 * static_cast<double>(step.n_inputs) : 1) + static_cast<double>(entry_of(step).cost);
    return each * static_cast<double>(step.n_outputs);
}

// --- few rows -----------------------------------------------------------------------------------------------------

template <class T> class FewRows {
  public:
    FewRows(const ForwardSteps<T>& steps, const Rows& rows, T* output)
        : steps_(steps), rows_(rows), output_(output), asks_(static_cast<double>(rows.count) * flops_of(steps) >= worth_asking || runtime::team_is_forced()) {
        Index scratch = 0;
        for (const ForwardStep<T>& step : steps) {
            width_ = std::max({width_, whole_vectors<T>(step.n_inputs), whole_vectors<T>(step.n_outputs)});
            if (by_rows(step)) scratch = step.n_outputs * lanes<T>;
        }
        buffers_ = runtime::scratch<T>(2 * rows.count * width_ + scratch);
    }

    void run() const {
        const FloatingPointState state(Subnormals::keep);
        Grid<const T> from = inputs();
        for (std::size_t s = 0; s < steps_.size(); ++s) {
            const ForwardStep<T>& step = steps_[s];
            const Grid<T> to = s + 1 == steps_.size() ? rows_of(output_, step.n_outputs) : buffer(static_cast<Index>(s % 2));
            in_team(static_cast<double>(rows_.count) * flops_of(step), [&](Worker worker) {
                const Range mine = runtime::share(step.n_outputs, 2 * lanes<T>, worker);
                if (mine.first < mine.last) some_columns(step, from, to, mine);
            });
            if (by_rows(step))
                kernel_.activations[step.activation].forward_rows(rows_.count, step.n_outputs, step.map == Map::none ? from : constant(to), to, buffer(2).data, false, false);
            from = constant(to);
        }
    }

  private:
    // Steps write to buffers 0 and 1 in turn; 2 is what softmax needs.
    Grid<T> buffer(Index which) const { return rows_of(buffers_ + which * rows_.count * width_, width_); }

    Grid<const T> inputs() const {
        const Index columns = steps_.front().n_inputs;
        if (rows_.numbers == number_of<T>) return {static_cast<const T*>(rows_.data), rows_.apart, lanes<T>};
        const Grid<T> converted = buffer(1);
        kernel_.gather({rows_.count, columns, rows_.data, rows_.numbers, rows_.apart, nullptr, 0, converted});
        return constant(converted);
    }

    template <class Body> void in_team(double flops, const Body& body) const {
        if (!asks_) return body(Worker{});
        runtime::run_call(flops, [&](Worker worker) {
            const FloatingPointState state(Subnormals::keep);
            body(worker);
        });
    }

    void some_columns(const ForwardStep<T>& step, const Grid<const T>& from, const Grid<T>& to, const Range& mine) const {
        const Index vector = mine.first / lanes<T>, width = mine.last - mine.first;
        const Grid<T> out = offset(to, 0, vector);
        Grid<const T> values = constant(out);
        if (step.map == Map::product) product(step, from, out, mine);
        else if (step.map == Map::none) values = offset(from, 0, vector);
        else
            for (Index r = 0; r < rows_.count; ++r) kernel_.multiply(width, offset(from, r, vector).data, step.weights + mine.first, offset(out, r, 0).data);
        if (by_elements(step))
            for (Index r = 0; r < rows_.count; ++r)
                kernel_.activations[step.activation].forward(width, step.parameters, offset(values, r, 0).data, offset(out, r, 0).data);
    }

    void product(const ForwardStep<T>& step, const Grid<const T>& from, const Grid<T>& out, const Range& mine) const {
        const Index d = step.n_inputs, m = step.n_outputs, width = mine.last - mine.first;
        const Index inner = std::max(bytes_at_a_time / (m * static_cast<Index>(sizeof(T))) / lanes<T> * lanes<T>, least_inner);
        for (Index first = 0; first < d; first += inner) {
            const Index count = std::min(d - first, inner);
            const Grid<const T> start = first > 0 ? constant(out) : Grid<const T>{step.biases ? step.biases + mine.first : nullptr, 0, lanes<T>};
            Product<T> job = {rows_.count, count, width, offset(from, 0, first / lanes<T>), rows_of(step.weights + first * m + mine.first, m), start, out, false, false};
            if (first + count == d) set_activation(job, step);
            kernel_.product(job);
        }
    }

    const Kernels<T>& kernel_ = runtime::kernels<T>();
    const ForwardSteps<T>& steps_;
    const Rows rows_;
    T* const output_;
    const bool asks_;
    Index width_ = 0;
    T* buffers_ = nullptr;
};

}  // namespace

template <class T> double flops_of(const ForwardSteps<T>& steps) {
    double flops = 0;
    for (const ForwardStep<T>& step : steps) flops += flops_of(step);
    return flops;
}

template <class T> bool is_few(const ForwardSteps<T>& steps, Index rows) {
    const auto long_rows = [](const ForwardStep<T>& step) { return step.map == Map::product && step.n_outputs * static_cast<Index>(sizeof(T)) >= page_bytes; };
    const bool any_long = std::any_of(steps.begin(), steps.end(), long_rows);
    return rows < few_rows && !(any_long && rows > runtime::kernels<T>().product_rows);
}

template <class T> void predict_few(const ForwardSteps<T>& steps, const Rows& rows, T* output) { FewRows<T>(steps, rows, output).run(); }

// --- many rows: the weights' copies ---------------------------------------------------------------------------------

template <class T> PackedNet<T>::PackedNet(const ForwardSteps<T>& steps) : flops_(flops_of(steps)) {
    for (const ForwardStep<T>& step : steps) {
        if (step.map == Map::product) last_product_ = steps_.size();
        steps_.push_back({step});
        panels_ = std::max({panels_, panels_of<T>(step.n_inputs), panels_of<T>(step.n_outputs)});
    }
    for (Step& step : steps_) {
        if (step.map == Map::factors) arena_.plan(&step.packed, whole_vectors<T>(step.n_outputs));
        if (step.map != Map::product) continue;
        step.panel = (step.n_inputs + 1) * lanes<T>;
        const Index elements = panels_of<T>(step.n_outputs) * step.panel;
        step.streams = elements * static_cast<Index>(sizeof(T)) >= streamed_bytes;
        arena_.plan(&step.packed, elements);
    }
    arena_.allocate();
    runtime::run_team(runtime::threads_for_call(flops_a_byte * static_cast<double>(arena_.bytes())), [&](Worker worker) {
        for (const Step& step : steps_) pack(step, worker);
    });
    for (Step& step : steps_) step.weights = step.biases = nullptr;  // the user's, who may change them
    const Blocks<T> blocks;
    rows_each_ = std::max(std::min(blocks.rows, blocks.quarter_l2 / (2 * panels_ * line_bytes)), least_rows);
    panel_stride_ = lines_apart(rows_each_) * lanes<T>;
}

// Some columns of them.
template <class T> void PackedNet<T>::pack(const Step& step, Worker worker) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const Index d = step.n_inputs, m = step.n_outputs;
    const Range mine = runtime::share(m, lanes<T>, worker);
    const Index count = mine.last - mine.first;
    if (count == 0 || step.map == Map::none) return;
    if (step.map == Map::factors) return kernel.gather({1, count, step.weights + mine.first, number_of<T>, m, nullptr, 0, {step.packed + mine.first, 0, lanes<T>}});
    T* const panels = step.packed + mine.first / lanes<T> * step.panel;
    if (step.biases) kernel.gather({1, count, step.biases + mine.first, number_of<T>, m, nullptr, 0, {panels, lanes<T>, step.panel}});
    else
        for (Index p = 0; p < panels_of<T>(count); ++p) std::fill_n(panels + p * step.panel, lanes<T>, T(0));
    kernel.gather({d, count, step.weights + mine.first, number_of<T>, m, nullptr, 0, {panels + lanes<T>, lanes<T>, step.panel}});
}

// --- many rows: a block of them through all steps ---------------------------------------------------------------------

template <class T> void PackedNet<T>::product(const Step& step, Index rows, const Grid<const T>& from, const Grid<T>& sums, const Grid<T>& output, bool padded) const {
    const Blocks<T> blocks;
    for (Index first = 0; first < step.n_inputs; first += blocks.inner) {
        const Index count = std::min(step.n_inputs - first, blocks.inner);
        const bool last = first + count == step.n_inputs;
        const Grid<const T> start = first > 0 ? constant(sums) : Grid<const T>{step.packed, 0, step.panel};
        Product<T> job = {rows, count, step.n_outputs, offset(from, 0, first / lanes<T>), {step.packed + (first + 1) * lanes<T>, lanes<T>, step.panel},
                          start, last ? output : sums, padded || !last, step.streams};
        if (last) set_activation(job, step);
        runtime::kernels<T>().product(job);
    }
}

// What follows a product within its step, and steps without one; in place.
template <class T> void PackedNet<T>::finish_panels(const Step& step, Index rows, const Grid<T>& values, T* scratch) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    if (step.map == Map::factors) kernel.scale_columns(rows, step.n_outputs, constant(values), step.packed, values, false);
    if (by_rows(step)) kernel.activations[step.activation].forward_rows(rows, step.n_outputs, constant(values), values, scratch, false, true);
    if (!by_elements(step)) return;
    for (Index p = 0; p < panels_of<T>(step.n_outputs); ++p) {
        T* const panel = offset(values, 0, p).data;
        kernel.activations[step.activation].forward(rows * lanes<T>, step.parameters, panel, panel);
    }
}
template <class T> void PackedNet<T>::finish_rows(const Step& step, Index rows, T* values, T* scratch) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const Index m = step.n_outputs;
    if (step.map == Map::factors)
        for (Index r = 0; r < rows; ++r) kernel.multiply(m, values + r * m, step.packed, values + r * m);
    if (by_rows(step)) kernel.activations[step.activation].forward_rows(rows, m, constant(rows_of(values, m)), rows_of(values, m), scratch, false, false);
    if (by_elements(step)) kernel.activations[step.activation].forward(rows * m, step.parameters, values, values);
}

// Scratch: two blocks of values in panels, then what softmax and losses need.
template <class T> void PackedNet<T>::forward(const Rows& rows, Index first, Index count, T* output, T* scratch) const {
    Grid<T> from = {scratch, lanes<T>, panel_stride_}, to = {scratch + panel_elements(), lanes<T>, panel_stride_};
    T* const rest = scratch + 2 * panel_elements();
    runtime::kernels<T>().gather({count, n_inputs(), rows.data, rows.numbers, rows.apart, nullptr, first, from});
    for (std::size_t s = 0; s < steps_.size(); ++s) {
        const Step& step = steps_[s];
        if (s == last_product_) product(step, count, constant(from), to, rows_of(output, step.n_outputs), false);
        else if (step.map == Map::product) {
            product(step, count, constant(from), to, to, true);
            std::swap(from, to);
        }
        if (s >= last_product_) finish_rows(step, count, output, rest);
        else finish_panels(step, count, from, rest);
    }
}

// --- many rows: blocks and threads ------------------------------------------------------------------------------------

// body(first, count) for blocks of rows of about the same size.
template <class T> template <class Body> void PackedNet<T>::for_blocks(Index rows, const Body& body) const {
    runtime::run_call(static_cast<double>(rows) * flops_, [&](Worker worker) {
        const FloatingPointState state(Subnormals::keep);
        const Range mine = runtime::share(rows, 1, worker);
        Index first = mine.first, left = mine.last - mine.first;
        for (Index blocks = (left + rows_each_ - 1) / rows_each_; blocks > 0; --blocks) {
            const Index count = (left + blocks - 1) / blocks;
            body(first, count);
            first += count;
            left -= count;
        }
    });
}

template <class T> void PackedNet<T>::predict(const Rows& rows, T* output) const {
    for_blocks(rows.count, [&](Index first, Index count) {
        T* const scratch = runtime::scratch<T>(2 * panel_elements() + panels_ * lanes<T> * lanes<T>);
        forward(rows, first, count, output + first * n_outputs(), scratch);
    });
}

template <class T> void PackedNet<T>::evaluate(const Rows& rows, const Measures<T>& measures) const {
    const Index outputs = rows_each_ * whole_vectors<T>(n_outputs()), targets = rows_each_ * whole_vectors<T>(measures.target_columns);
    for_blocks(rows.count, [&](Index first, Index count) {
        T* const output = runtime::scratch<T>(outputs + targets + 2 * panel_elements() + 3 * panels_ * lanes<T> * lanes<T>);
        forward(rows, first, count, output, output + outputs + targets);
        measure(measures, first, count, output, output + outputs);
    });
}

// Scratch: the targets of a block, then what the loss needs.
template <class T> void PackedNet<T>::measure(const Measures<T>& measures, Index first, Index rows, T* output, T* scratch) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const Index width = whole_vectors<T>(measures.target_columns);
    LossJob<T> job = {};
    job.metric = measures.metric;
    job.rows = rows;
    job.cols = n_outputs();
    job.output = rows_of(output, n_outputs());
    job.activated = true;
    job.target_cols = measures.target_columns;
    if (measures.labels) job.labels = measures.labels + first;
    else {
        const Grid<T> targets = rows_of(scratch, width);
        kernel.gather({rows, measures.target_columns, measures.targets, measures.target_numbers, measures.target_columns, nullptr, first, targets});
        job.targets = constant(targets);
    }
    job.sample_losses = measures.sample_losses + first;
    if (measures.metric != Metric::none) job.hits = measures.hits + first;
    job.parameters = measures.parameters;
    job.precision = measures.precision;
    job.scratch = scratch + rows_each_ * width;
    kernel.losses[measures.loss](job);
}

#define CHAINRULE_INSTANTIATE(T)                                                    \
    template double flops_of(const ForwardSteps<T>&);                               \
    template bool is_few(const ForwardSteps<T>&, Index);                            \
    template void predict_few(const ForwardSteps<T>&, const Rows&, T*);             \
    template class PackedNet<T>;
CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule::model

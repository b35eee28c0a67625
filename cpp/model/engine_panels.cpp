// Engine "panels": its memory, its parameters, and the pass forward and back. The update is in engine_panels_update.cpp.
#include "model/engine_panels.hpp"

#include <algorithm>

namespace chainrule::model {
namespace panels {

// Weights of this size leave L2 between two uses (chosen on `wide`).
constexpr Index streamed_bytes = 768 * 1024;

template <class T> PanelsEngine<T>::PanelsEngine(const Network& network) : net_(network), kernel_(runtime::kernels<T>()), stages_(network.stages.size()) {
    const Index batch = net_.batch_size;
    inputs_.plan(arena_, batch, net_.stages.front().n_inputs);
    if (net_.input_dropout.keep < 1) {
        input_mask_.plan(arena_, batch, inputs_.columns);
        input_dropped_.plan(arena_, batch, inputs_.columns);
    }
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        StageMemory<T>& memory = stages_[s];
        memory.outputs.plan(arena_, batch, stage.n_neurons);
        memory.dvalues.plan(arena_, batch, stage.n_neurons);
        if (stage.dropout.keep < 1) {
            memory.mask.plan(arena_, batch, stage.n_neurons);
            memory.dropped.plan(arena_, batch, stage.n_neurons);
        }
        memory.panel = (stage.n_inputs + 1) * lanes<T>;
        memory.parameters = panels_of<T>(stage.n_neurons) * memory.panel;
        memory.streams = memory.parameters * static_cast<Index>(sizeof(T)) >= streamed_bytes;
        arena_.plan(&memory.weights, memory.parameters);
        if (uses_momentums(net_.rule)) arena_.plan(&memory.momentums, memory.parameters);
        if (uses_cache(net_.rule)) arena_.plan(&memory.cache, memory.parameters);
        if (net_.clips) arena_.plan(&memory.gradient, memory.parameters);
        memory.transposed_panel = (stage.n_neurons | 1) * lanes<T>;
        if (s > 0 && !skinny()) arena_.plan(&memory.transposed, panels_of<T>(stage.n_inputs) * memory.transposed_panel);
        largest_width_ = std::max({largest_width_, stage.n_neurons, stage.n_inputs});
    }
    if (!net_.labels) targets_.plan(arena_, batch, net_.stages.back().n_neurons);
    else arena_.plan(&labels_, batch);
    arena_.plan(&sample_scale_, batch);
    arena_.plan(&this->sample_losses_, batch);
    arena_.plan(&this->hits_, batch);
    arena_.allocate();
    plan_tiles();
}

// --- parameters -------------------------------------------------------------------------------------------------

// Calls body(stage, packed array, user's weights, user's biases) for weights, momentums and cache.
template <class T> template <class Body> void PanelsEngine<T>::for_each_array(const std::vector<StageArrays<T>>& arrays, const Body& body) const {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const StageMemory<T>& memory = stages_[s];
        body(s, memory.weights, arrays[s].weights, arrays[s].biases);
        if (memory.momentums) body(s, memory.momentums, arrays[s].weight_momentums, arrays[s].bias_momentums);
        if (memory.cache) body(s, memory.cache, arrays[s].weight_cache, arrays[s].bias_cache);
    }
}

// Runs body(worker) on as many threads as moving all parameters is worth.
template <class T> template <class Body> void PanelsEngine<T>::move_parameters(const Body& body) const {
    constexpr double flops_each = 100;  // a parameter takes about a nanosecond
    double parameters = 0;
    for (const StageMemory<T>& memory : stages_) parameters += static_cast<double>(memory.parameters);
    runtime::run_team(runtime::threads_for_call(flops_each * parameters), body);
}

template <class T> void PanelsEngine<T>::load(const std::vector<StageArrays<T>>& arrays) {
    move_parameters([&](Worker worker) {
        for_each_array(arrays, [&](std::size_t s, T* packed, const T* weights, const T* biases) {
            const Index d = net_.stages[s].n_inputs, m = net_.stages[s].n_neurons, panel = stages_[s].panel;
            const bool is_double = sizeof(T) == sizeof(double);
            const Range mine = runtime::share(m, lanes<T>, worker);
            const Index count = mine.last - mine.first;
            if (count == 0) return;
            T* const start = packed + mine.first / lanes<T> * panel;
            kernel_.gather({1, count, biases + mine.first, is_double, m, nullptr, 0, {start, lanes<T>, panel}});
            kernel_.gather({d, count, weights + mine.first, is_double, m, nullptr, 0, {start + lanes<T>, lanes<T>, panel}});
        });
        for (std::size_t s = 1; s < stages_.size() && !skinny(); ++s) {
            const Stage& stage = net_.stages[s];
            const Range mine = runtime::share(stage.n_inputs, lanes<T>, worker);
            for (Index i = mine.first; i < mine.last; i += lanes<T>)
                kernel_.transpose(std::min(stage.n_inputs - i, lanes<T>), stage.n_neurons, {arrays[s].weights + i * stage.n_neurons, stage.n_neurons, lanes<T>},
                                  {stages_[s].transposed + i / lanes<T> * stages_[s].transposed_panel, lanes<T>, lanes<T>});
        }
    });
}

// One row of a panel, or what there is of it.
template <class T> void copy_row(const T* source, T* target, Index count) {
    if (count == lanes<T>) std::copy_n(source, lanes<T>, target);  // of known length: no call
    else std::copy_n(source, count, target);
}

template <class T> void PanelsEngine<T>::store(const std::vector<StageArrays<T>>& arrays) const {
    move_parameters([&](Worker worker) {
        for_each_array(arrays, [&](std::size_t s, const T* packed, T* weights, T* biases) {
            constexpr Index rows_each = 8;  // of the user's array, written side by side: long rows fall on the same cache sets
            const Index d = net_.stages[s].n_inputs, m = net_.stages[s].n_neurons;
            const Range mine = runtime::share(d, rows_each, worker);
            for (Index first = 0; worker.index == 0 && first < m; first += lanes<T>)
                copy_row(packed + first / lanes<T> * stages_[s].panel, biases + first, std::min(m - first, lanes<T>));
            for (Index row = mine.first; row < mine.last; row += rows_each)
                for (Index first = 0; first < m; first += lanes<T>) {
                    const T* const panel = packed + first / lanes<T> * stages_[s].panel + lanes<T>;
                    for (Index i = row; i < std::min(row + rows_each, mine.last); ++i) copy_row(panel + i * lanes<T>, weights + i * m + first, std::min(m - first, lanes<T>));
                }
        });
    });
}

template <class T> double PanelsEngine<T>::penalty() const {
    double total = 0;
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        if (!stage.regularized()) continue;
        for (Index first = 0; first < stage.n_neurons; first += lanes<T>) {
            const T* panel = stages_[s].weights + first / lanes<T> * stages_[s].panel;
            const Index count = std::min(stage.n_neurons - first, lanes<T>);
            total += penalty_of(panel, count, stage.bias_l1, stage.bias_l2);
            for (Index i = 1; i <= stage.n_inputs; ++i) total += penalty_of(panel + i * lanes<T>, count, stage.weight_l1, stage.weight_l2);
        }
    }
    return total;
}

// --- forward and backward: each worker its own samples ------------------------------------------------------------

template <class T> void PanelsEngine<T>::pass(const Batch& batch, Worker worker, Barrier& barrier) {
    const Range mine = runtime::share(batch.rows, 1, worker);
    T* const scratch = static_cast<T*>(scratch_.data()) + worker.index * scratch_elements();
    const Index count = mine.last - mine.first;
    const Index blocks = count > 0 ? std::max<Index>((count + blocks_.rows / 2) / blocks_.rows, 1) : 0;  // about that size
    for (Index b = 0, row = mine.first; b < blocks; ++b) {
        const Index rows = (mine.last - row + (blocks - b) - 1) / (blocks - b);
        gather(batch, row, rows);
        for (std::size_t s = 0; s < stages_.size(); ++s) forward(batch, s, row, rows, scratch);
        loss(batch, row, rows, scratch);
        if (batch.training)
            for (std::size_t s = stages_.size(); s-- > 0;) backward(batch, s, row, rows, scratch);
        row += rows;
    }
    barrier.wait(worker);
}

template <class T> void PanelsEngine<T>::gather(const Batch& batch, Index row, Index rows) {
    if (!batch.same_as_before) {
        const Index d = inputs_.columns;
        kernel_.gather({rows, d, batch.inputs, batch.inputs_double, d, batch.order, batch.first + row, inputs_.grid(row)});
        if (labels_)
            for (Index r = row; r < row + rows; ++r) labels_[r] = batch.labels[batch.place(r)];
        else
            kernel_.gather({rows, targets_.columns, batch.targets, batch.targets_double, targets_.columns, batch.order, batch.first + row, targets_.grid(row)});
    }
    if (batch.weights) {
        const double total = batch.total_weight();
        for (Index r = row; r < row + rows; ++r) sample_scale_[r] = static_cast<T>(batch.weights[batch.place(r)] / total);
    }
    if (batch.training && net_.input_dropout.keep < 1) drop(net_.input_dropout, batch, inputs_, input_mask_, input_dropped_, row, rows);
}

template <class T> void PanelsEngine<T>::forward(const Batch& batch, std::size_t s, Index row, Index rows, T* scratch) {
    const Stage& stage = net_.stages[s];
    const StageMemory<T>& memory = stages_[s];
    const Grid<const T> a = constant(at(inputs_of(s, batch.training), row, 0));
    const Grid<T> output = memory.outputs.grid(row);
    for (Index first = 0; first < stage.n_inputs; first += blocks_.inner) {
        const Index count = std::min(stage.n_inputs - first, blocks_.inner);
        const Grid<const T> start = first ? constant(output) : Grid<const T>{memory.weights, 0, memory.panel};
        const bool relu = stage.activation == Activation::relu && first + count == stage.n_inputs;
        kernel_.product({rows, count, stage.n_neurons, at(a, 0, first / lanes<T>),
                         {memory.weights + (first + 1) * lanes<T>, lanes<T>, memory.panel}, start, output, true, relu, memory.streams});
    }
    if (stage.activation == Activation::softmax) {
        const bool joint = net_.loss == Loss::softmax_crossentropy && s + 1 == stages_.size();
        if (!joint)
            kernel_.softmax_forward(rows, stage.n_neurons, constant(output), output, scratch, false, true);
    } else if (stage.activation != Activation::relu && stage.activation != Activation::linear) {
        for (Index p = 0; p < panels_of<T>(stage.n_neurons); ++p)
            kernel_.activation_forward(stage.activation, rows * lanes<T>, at(output, 0, p).data, at(output, 0, p).data);
    }
    if (batch.training && stage.dropout.keep < 1) drop(stage.dropout, batch, memory.outputs, memory.mask, memory.dropped, row, rows);
}

template <class T> void PanelsEngine<T>::loss(const Batch& batch, Index row, Index rows, T* scratch) {
    const StageMemory<T>& last = stages_.back();
    LossJob<T> job = {};
    job.loss = net_.loss;
    job.metric = net_.metric;
    job.rows = rows;
    job.cols = last.outputs.columns;
    job.output = last.outputs.grid(row);
    if (labels_) job.labels = labels_ + row;
    else job.targets = constant(targets_.grid(row));
    job.sample_losses = this->sample_losses_ + row;
    job.hits = this->hits_ + row;
    if (batch.training) job.dvalues = last.dvalues.grid(row);
    job.scale = static_cast<T>(1.0 / static_cast<double>(batch.rows));
    if (batch.weights) job.sample_scale = sample_scale_ + row;
    job.precision = net_.precision;
    job.scratch = scratch;
    job.padded = true;
    kernel_.loss(job);
}

// From the gradient of stage s's output to that of its product, then to that of stage s - 1's output.
template <class T> void PanelsEngine<T>::backward(const Batch& batch, std::size_t s, Index row, Index rows, T* scratch) {
    const Stage& stage = net_.stages[s];
    const StageMemory<T>& memory = stages_[s];
    const Grid<T> dvalues = memory.dvalues.grid(row);
    const Grid<T> output = memory.outputs.grid(row);
    const bool dropped = batch.training && stage.dropout.keep < 1;
    if (dropped) multiply(memory.dvalues, memory.mask, memory.dvalues, row, rows);
    if (stage.activation == Activation::softmax) {
        if (net_.loss != Loss::softmax_crossentropy || s + 1 != stages_.size())
            kernel_.softmax_backward(rows, stage.n_neurons, constant(dvalues), constant(output), dvalues, scratch, false, true);
    } else if (stage.activation != Activation::linear && !(s + 1 < stages_.size() && ends_in_derivative(stage) && !few(batch))) {
        for (Index p = 0; p < panels_of<T>(stage.n_neurons); ++p)
            kernel_.activation_backward(stage.activation, rows * lanes<T>, at(dvalues, 0, p).data, at(output, 0, p).data, at(dvalues, 0, p).data);
    }
    if (s == 0) return;
    if (few(batch)) return skinny_dinputs(s, row, rows);
    const Grid<T> dinputs = stages_[s - 1].dvalues.grid(row);
    for (Index first = 0; first < stage.n_neurons; first += blocks_.inner) {
        const Index count = std::min(stage.n_neurons - first, blocks_.inner);
        Product<T> job = {rows, count, stage.n_inputs, constant(at(dvalues, 0, first / lanes<T>)), {memory.transposed + first * lanes<T>, lanes<T>, memory.transposed_panel},
                          first ? constant(dinputs) : Grid<const T>{nullptr, 0, 0}, dinputs, true, false, memory.streams};
        if (first + count == stage.n_neurons && ends_in_derivative(net_.stages[s - 1])) {
            job.derivative = net_.stages[s - 1].activation;
            job.activated = constant(stages_[s - 1].outputs.grid(row));
        }
        kernel_.product(job);
    }
}

// dinputs = dvalues . weights^T, one sample at a time: `lanes` rows of weights by one row of dvalues.
template <class T> void PanelsEngine<T>::skinny_dinputs(std::size_t s, Index row, Index rows) {
    const Stage& stage = net_.stages[s];
    const StageMemory<T>& memory = stages_[s];
    for (Index q = 0; q < panels_of<T>(stage.n_inputs); ++q)
        for (Index r = row; r < row + rows; ++r)
            kernel_.product_nt({std::min(stage.n_inputs - q * lanes<T>, lanes<T>), stage.n_neurons, 1,
                                {memory.weights + (1 + q * lanes<T>) * lanes<T>, lanes<T>, memory.panel}, constant(memory.dvalues.grid(r)), {nullptr, 0, 0},
                                {at(stages_[s - 1].dvalues.grid(r), 0, q).data, 1, lanes<T>}, true, false, false});
}

// dropped = values * a fresh mask; element (r, c) of the batch is number r * columns + c of the step's stream.
template <class T>
void PanelsEngine<T>::drop(const Dropout& dropout, const Batch& batch, const Panels<T>& values, const Panels<T>& mask,
                           const Panels<T>& dropped, Index row, Index rows) {
    for (Index r = row; r < row + rows; ++r)
        for (Index c = 0; c < values.columns; c += lanes<T>)
            kernel_.dropout_mask(std::min(values.columns - c, lanes<T>), dropout.keep, dropout.key, dropout.step + batch.step,
                                 static_cast<std::uint64_t>(r * values.columns + c), mask.data + c / lanes<T> * mask.stride + r * lanes<T>);
    multiply(values, mask, dropped, row, rows);
}

template <class T>
void PanelsEngine<T>::multiply(const Panels<T>& values, const Panels<T>& mask, const Panels<T>& output, Index row, Index rows) {
    for (Index p = 0; p < panels_of<T>(values.columns); ++p) {
        const Index place = p * values.stride + row * lanes<T>;
        kernel_.multiply(rows * lanes<T>, values.data + place, mask.data + place, output.data + place);
    }
}

}  // namespace panels

using panels::PanelsEngine;

template <class T> std::unique_ptr<Engine<T>> make_panels_engine(const Network& network) { return std::make_unique<PanelsEngine<T>>(network); }
template std::unique_ptr<Engine<float>> make_panels_engine(const Network&);
template std::unique_ptr<Engine<double>> make_panels_engine(const Network&);

}  // namespace chainrule::model

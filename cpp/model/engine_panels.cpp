// Engine "panels": its memory, its parameters, and the pass forward and back. The update is in engine_panels_update.cpp.
#include "model/engine_panels.hpp"

#include <algorithm>

#include "model/fetching.hpp"

namespace chainrule::model {
namespace panels {

// Weights of this size leave L2 between two uses (chosen on `wide`).
constexpr Index streamed_bytes = 768 * 1024;

template <class T> PanelsEngine<T>::PanelsEngine(const Network& network) : net_(network), kernel_(runtime::kernels<T>()), stages_(network.stages.size()) {
    const Index batch = net_.batch_size;
    inputs_.plan(arena_, batch, net_.stages.front().n_inputs);
    if (net_.scales()) scaled_.plan(arena_, batch, inputs_.columns);
    if (net_.below_stages_learns()) dscaled_.plan(arena_, batch, inputs_.columns);
    if (net_.input_dropout.drops()) {
        input_kept_.plan(arena_, batch, inputs_.columns);
        input_dropped_.plan(arena_, batch, inputs_.columns);
    }
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        StageMemory<T>& memory = stages_[s];
        memory.outputs.plan(arena_, batch, stage.n_neurons);
        memory.dvalues.plan(arena_, batch, stage.n_neurons);
        if (stage.keeps_product()) memory.sums.plan(arena_, batch, stage.n_neurons);
        if (stage.shares.present) {
            memory.activated.plan(arena_, batch, stage.n_neurons);
            memory.doutput.plan(arena_, batch, stage.n_neurons);
        }
        if (stage.dropout.drops()) {
            memory.kept.plan(arena_, batch, stage.n_neurons);
            if (!stage.drops_in_place()) memory.dropped.plan(arena_, batch, stage.n_neurons);
        }
        memory.panel = (stage.n_inputs + 1) * lanes<T>;
        memory.parameters = panels_of<T>(stage.n_neurons) * memory.panel;
        memory.streams = memory.parameters * static_cast<Index>(sizeof(T)) >= streamed_bytes;
        arena_.plan(&memory.weights, memory.parameters);
        for (int i = 0; i < net_.rule_entry().states.count; ++i) arena_.plan(&memory.states[i], memory.parameters);
        if (net_.keeps_gradients || net_.noted) arena_.plan(&memory.gradient, memory.parameters);
        if (net_.accumulate > 1) arena_.plan(&memory.lost, memory.parameters);
        memory.transposed_panel = (stage.n_neurons | 1) * lanes<T>;
        if (net_.needs_dinputs(s) && !skinny()) arena_.plan(&memory.transposed, panels_of<T>(stage.n_inputs) * memory.transposed_panel);
        largest_width_ = std::max({largest_width_, stage.n_neurons, stage.n_inputs});
    }
    if (!net_.labels) targets_.plan(arena_, batch, net_.n_targets());
    else arena_.plan(&labels_, batch);
    arena_.plan(&sample_scale_, batch);
    arena_.plan(&this->sample_losses_, batch);
    arena_.plan(&this->hits_, batch);
    plan_beside();
    arena_.allocate();
    plan_tiles();
}

// --- parameters -------------------------------------------------------------------------------------------------

// Calls body(stage, packed array, user's weights, user's biases) for the parameters and each array beside them. Null where
// there are no biases.
template <class T> template <class Body> void PanelsEngine<T>::for_each_array(const NetworkArrays<T>& arrays, const Body& body) const {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const StageMemory<T>& memory = stages_[s];
        const StageArrays<T>& user = arrays.stages[s];
        body(s, memory.weights, user.weights.values, user.biases.values);
        for (int i = 0; i < net_.rule_entry().states.count; ++i) body(s, memory.states[i], user.weights.states[i], user.biases.states[i]);
    }
}

// Runs body(worker) on as many threads as moving all parameters is worth.
template <class T> template <class Body> void PanelsEngine<T>::move_parameters(const Body& body) const {
    constexpr double flops_each = 100;  // a parameter takes about a nanosecond
    double parameters = 0;
    for (const StageMemory<T>& memory : stages_) parameters += static_cast<double>(memory.parameters);
    runtime::run_team(runtime::threads_for_call(flops_each * parameters), body);
}

template <class T> void PanelsEngine<T>::load(const NetworkArrays<T>& arrays) {
    move_parameters([&](Worker worker) {
        for_each_array(arrays, [&](std::size_t s, T* packed, const T* weights, const T* biases) {
            const Index d = net_.stages[s].n_inputs, m = net_.stages[s].n_neurons, panel = stages_[s].panel;
            const Range mine = runtime::share(m, lanes<T>, worker);
            const Index count = mine.last - mine.first;
            if (count == 0) return;
            T* const start = packed + mine.first / lanes<T> * panel;
            // an array that is not the user's (a frozen layer's state, absent biases) starts from 0
            if (biases) kernel_.gather({1, count, biases + mine.first, number_of<T>, m, nullptr, 0, {start, lanes<T>, panel}});
            else for (Index p = 0; p < panels_of<T>(count); ++p) std::fill_n(start + p * panel, lanes<T>, T(0));
            if (weights) kernel_.gather({d, count, weights + mine.first, number_of<T>, m, nullptr, 0, {start + lanes<T>, lanes<T>, panel}});
            else for (Index p = 0; p < panels_of<T>(count); ++p) std::fill_n(start + p * panel + lanes<T>, d * lanes<T>, T(0));
        });
        for (std::size_t s = 0; s < stages_.size(); ++s) {
            if (!stages_[s].transposed) continue;
            const Stage& stage = net_.stages[s];
            const Range mine = runtime::share(stage.n_inputs, lanes<T>, worker);
            for (Index i = mine.first; i < mine.last; i += lanes<T>)
                kernel_.transpose(std::min(stage.n_inputs - i, lanes<T>), stage.n_neurons,
                                  {arrays.stages[s].weights.values + i * stage.n_neurons, stage.n_neurons, lanes<T>},
                                  {stages_[s].transposed + i / lanes<T> * stages_[s].transposed_panel, lanes<T>, lanes<T>});
        }
    });
    for (const BesideMemory<T>& memory : beside_) {
        const ParameterArrays<T>& user = memory.place.in(arrays);
        std::copy_n(user.values, memory.count, memory.values);
        for (int i = 0; i < net_.rule_entry().states.count; ++i)
            if (user.states[i]) std::copy_n(user.states[i], memory.count, memory.states[i]);
    }
}

template <class T> void PanelsEngine<T>::store(const NetworkArrays<T>& arrays) const {
    move_parameters([&](Worker worker) {
        for_each_array(arrays, [&](std::size_t s, const T* packed, T* weights, T* biases) {
            constexpr Index rows_each = 8;  // of the user's array, written side by side: long rows fall on the same cache sets
            const Index d = net_.stages[s].n_inputs, m = net_.stages[s].n_neurons;
            const Range mine = runtime::share(d, rows_each, worker);
            for (Index first = 0; biases && worker.index == 0 && first < m; first += lanes<T>)
                copy_row(packed + first / lanes<T> * stages_[s].panel, biases + first, std::min(m - first, lanes<T>));
            for (Index row = mine.first; weights && row < mine.last; row += rows_each)
                for (Index first = 0; first < m; first += lanes<T>) {
                    const T* const panel = packed + first / lanes<T> * stages_[s].panel + lanes<T>;
                    for (Index i = row; i < std::min(row + rows_each, mine.last); ++i) copy_row(panel + i * lanes<T>, weights + i * m + first, std::min(m - first, lanes<T>));
                }
        });
    });
    for (const BesideMemory<T>& memory : beside_) {
        const ParameterArrays<T>& user = memory.place.in(arrays);
        std::copy_n(memory.values, memory.count, user.values);
        for (int i = 0; i < net_.rule_entry().states.count; ++i)
            if (user.states[i]) std::copy_n(memory.states[i], memory.count, user.states[i]);
    }
}

template <class T> void PanelsEngine<T>::reserve_best() {
    Index count = 0;
    for (const StageMemory<T>& memory : stages_) count += memory.parameters;
    for (const BesideMemory<T>& memory : beside_) count += memory.room;
    const std::size_t wanted = static_cast<std::size_t>(count) * sizeof(T);
    if (best_.bytes() < wanted) best_ = runtime::Block(wanted);
}

template <class T> void PanelsEngine<T>::keep_best() {
    for_each_best([](const T* parameters, Index count, T* place) { std::copy_n(parameters, count, place); });
}

template <class T> void PanelsEngine<T>::store_best(const NetworkArrays<T>& arrays) {
    std::vector<T*> own;
    const auto swap = [&](T*& parameters, Index, T* place) {
        own.push_back(parameters);
        parameters = place;
    };
    for_each_best(swap);
    store(arrays);
    auto before = own.begin();
    for_each_best([&](T*& parameters, Index, T*) { parameters = *before++; });
}

template <class T> double PanelsEngine<T>::penalty() const {
    double total = 0;
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        if (!stage.weights.regularized() && !stage.biases.regularized()) continue;
        for (Index first = 0; first < stage.n_neurons; first += lanes<T>) {
            const T* panel = stages_[s].weights + first / lanes<T> * stages_[s].panel;
            const Index count = std::min(stage.n_neurons - first, lanes<T>);
            total += penalty_of(panel, count, stage.biases);
            if (stage.weights.l1 == 0) total += penalty_of(panel + lanes<T>, stage.n_inputs * lanes<T>, stage.weights);  // padding is 0
            else
                for (Index i = 1; i <= stage.n_inputs; ++i) total += penalty_of(panel + i * lanes<T>, count, stage.weights);
        }
    }
    for (const BesideMemory<T>& memory : beside_)
        if (memory.place.in(net_).regularized()) total += penalty_of(memory.values, memory.count, memory.place.in(net_));
    return total;
}

// --- forward and backward: each worker its own samples ------------------------------------------------------------

template <class T> void PanelsEngine<T>::pass(const Batch& batch, Worker worker, Barrier& barrier) {
    const Range mine = runtime::share(batch.rows, 1, worker);
    T* const scratch = scratch_of(worker);
    const Index count = mine.last - mine.first;
    if (batch.noted && batch.first == batch.step_first) {
        const auto first = alive_.begin() + worker.index * units(stages_.size());
        std::fill(first, first + units(stages_.size()), static_cast<unsigned char>(0));
        if (worker.index == 0) noting_ = worker.count;
    }
    const Index blocks = count > 0 ? std::max<Index>((count + blocks_.rows / 2) / blocks_.rows, 1) : 0;  // about that size
    const Index parts = static_cast<Index>(2 * stages_.size() - net_.lowest());  // of a block's work, as fetching sees it
    for (Index b = 0, row = mine.first; b < blocks; ++b) {
        const Index rows = (mine.last - row + (blocks - b) - 1) / (blocks - b);
        Index part = 0;
        const auto fetch_some = [&] {
            if (batch.next_rows > 0) fetch_next(batch, net_, row + rows * part / parts, row + rows * (part + 1) / parts);
            ++part;
        };
        gather(batch, row, rows, scratch);
        for (std::size_t s = 0; s < stages_.size(); ++s) {
            forward(batch, s, row, rows, worker);
            fetch_some();
        }
        loss(batch, row, rows, scratch);
        if (batch.training)
            for (std::size_t s = stages_.size(); s-- > net_.lowest();) {
                backward(batch, s, row, rows, scratch);
                fetch_some();
            }
        if (batch.training && net_.features_learn()) features_dvalues(row, rows);
        row += rows;
    }
    barrier.wait(worker);
}

template <class T> void PanelsEngine<T>::gather_inputs(const Batch& batch, Index row, Index rows, const Grid<T>& place) {
    const Index d = net_.n_inputs();
    kernel_.gather({rows, d, batch.inputs, batch.input_numbers, d, batch.order, batch.first + row, place});
}

template <class T> void PanelsEngine<T>::gather(const Batch& batch, Index row, Index rows, T* scratch) {
    if (net_.features.any()) features_forward(batch, row, rows, scratch);
    else if (!batch.same_as_before) gather_inputs(batch, row, rows, inputs_.grid(row));
    if (!batch.same_as_before) {
        if (labels_)
            for (Index r = row; r < row + rows; ++r) labels_[r] = batch.labels[batch.place(r)];
        else
            kernel_.gather({rows, targets_.columns, batch.targets, batch.target_numbers, targets_.columns, batch.order, batch.first + row, targets_.grid(row)});
    }
    if (batch.weights) {
        const double total = batch.total_weight();
        for (Index r = row; r < row + rows; ++r) sample_scale_[r] = static_cast<T>(net_.loss_factor * batch.weights[batch.place(r)] / total);
    }
    if (net_.scales()) kernel_.scale_columns(rows, inputs_.columns, constant(inputs_.grid(row)), scale(), scaled_.grid(row), false);
    if (batch.training && net_.input_dropout.drops()) {
        draw(0, net_.input_dropout, batch, input_kept_, row, rows, inputs_.columns);
        drop(inputs_, input_kept_, batch.factor<T>(net_.input_dropout, 0), input_dropped_, row, rows);
    }
}

template <class T> void PanelsEngine<T>::forward(const Batch& batch, std::size_t s, Index row, Index rows, Worker worker) {
    const Stage& stage = net_.stages[s];
    const StageMemory<T>& memory = stages_[s];
    const Grid<const T> a = constant(at(inputs_of(s, batch.training), row, 0));
    const Grid<T> sums = product_of(s).grid(row), output = (stage.shares.present ? memory.activated : memory.outputs).grid(row);
    for (Index first = 0; first < stage.n_inputs; first += blocks_.inner) {
        const Index count = std::min(stage.n_inputs - first, blocks_.inner);
        const Grid<const T> start = first ? constant(sums) : Grid<const T>{memory.weights, 0, memory.panel};
        Product<T> job = {rows, count, stage.n_neurons, at(a, 0, first / lanes<T>),
                          {memory.weights + (first + 1) * lanes<T>, lanes<T>, memory.panel}, start, sums, true, memory.streams};
        if (in_tile(s) && first + count == stage.n_inputs) {
            job.activation = stage.activation;
            job.parameters = stage.activation_parameters.data();
        }
        kernel_.product(job);
    }
    if (stage.activation != Activation::identity && !in_tile(s) && !net_.joint(s)) {
        if (this->seen_) see(sums, stage.n_neurons, row, rows, this->seen_->stages[s].product);
        const ActivationKernels<T>& activation = kernel_.activations[stage.activation];
        if (stage.entry().by_rows) activation.forward_rows(rows, stage.n_neurons, constant(sums), output, scratch_of(worker), false, true);
        else
            for (Index p = 0; p < panels_of<T>(stage.n_neurons); ++p)
                activation.forward(rows * lanes<T>, stage.activation_parameters.data(), at(sums, 0, p).data, at(output, 0, p).data);
        if (stage.shares.present) mix_forward(s, row, rows);
    }
    if (this->seen_ || batch.noted) look(batch, s, row, rows, worker);
    if (batch.training && stage.dropout.drops()) {
        draw(s + 1, stage.dropout, batch, memory.kept, row, rows, stage.n_neurons);
        drop(memory.outputs, memory.kept, batch.factor<T>(stage.dropout, s + 1), stage.drops_in_place() ? memory.outputs : memory.dropped, row, rows);
        if (this->seen_) see((stage.drops_in_place() ? memory.outputs : memory.dropped).grid(row), stage.n_neurons, row, rows, this->seen_->stages[s].dropped);
    }
}

// What stage s has made of its inputs, before the dropout.
template <class T> void PanelsEngine<T>::look(const Batch& batch, std::size_t s, Index row, Index rows, Worker worker) {
    if (batch.noted && net_.stages[s].entry().needs_sign) note_alive(s, row, rows, worker);
    if (!this->seen_) return;
    if (s == 0) see(at(inputs_of(0, batch.training), row, 0), net_.n_features(), row, rows, this->seen_->inputs);
    const StageSeen<T>& seen = this->seen_->stages[s];
    see(stages_[s].outputs.grid(row), net_.stages[s].n_neurons, row, rows, net_.joint(s) ? seen.product : seen.output);
}

template <class T> void PanelsEngine<T>::note_alive(std::size_t s, Index row, Index rows, Worker worker) {
    unsigned char* const alive = alive_.data() + worker.index * units(stages_.size()) + units(s);
    for (Index first = 0; first < net_.stages[s].n_neurons; first += lanes<T>) {
        const T* const panel = at(stages_[s].outputs.grid(row), 0, first / lanes<T>).data;
        unsigned char any[lanes<T>] = {};
        for (Index r = 0; r < rows; ++r)
            for (Index j = 0; j < lanes<T>; ++j) any[j] |= static_cast<unsigned char>(panel[r * lanes<T> + j] != 0);
        for (Index j = 0; j < std::min(net_.stages[s].n_neurons - first, lanes<T>); ++j) alive[first + j] |= any[j];
    }
}

// Panels of a block of samples -> rows of the batch.
template <class T> void PanelsEngine<T>::see(const Grid<T>& values, Index columns, Index row, Index rows, T* place) const {
    if (!place) return;
    for (Index r = 0; r < rows; ++r)
        for (Index first = 0; first < columns; first += lanes<T>)
            std::copy_n(values.data + r * values.row + first / lanes<T> * values.vec, std::min(columns - first, lanes<T>), place + (row + r) * columns + first);
}

template <class T> void PanelsEngine<T>::loss(const Batch& batch, Index row, Index rows, T* scratch) {
    const StageMemory<T>& last = stages_.back();
    LossJob<T> job = {};
    job.metric = net_.metric;
    job.rows = rows;
    job.cols = last.outputs.columns;
    job.output = last.outputs.grid(row);
    job.target_cols = net_.n_targets();
    job.parameters = net_.loss_parameters.data();
    if (labels_) job.labels = labels_ + row;
    else job.targets = constant(targets_.grid(row));
    job.sample_losses = this->sample_losses_ + row;
    job.hits = this->hits_ + row;
    if (batch.training) job.dvalues = last.dvalues.grid(row);
    job.scale = static_cast<T>(net_.loss_factor / static_cast<double>(batch.step_rows));
    if (batch.weights) job.sample_scale = sample_scale_ + row;
    job.precision = batch.precision;
    job.scratch = scratch;
    job.padded = true;
    kernel_.losses[net_.loss](job);
    if (this->seen_ && net_.joint(stages_.size() - 1)) see(last.outputs.grid(row), last.outputs.columns, row, rows, this->seen_->stages.back().output);
}

// From the gradient of stage s's output to that of its product, then to that of stage s - 1's output.
template <class T> void PanelsEngine<T>::backward(const Batch& batch, std::size_t s, Index row, Index rows, T* scratch) {
    const Stage& stage = net_.stages[s];
    const StageMemory<T>& memory = stages_[s];
    const Grid<T> dvalues = memory.dvalues.grid(row), doutput = doutput_of(s).grid(row);
    const bool done = net_.derives_in_product(s) && !few(batch);  // in the product of the stage above
    if (stage.dropout.drops() && !done) {
        if (this->seen_) see(doutput, stage.n_neurons, row, rows, this->seen_->stages[s].ddropped);
        drop(doutput_of(s), memory.kept, batch.factor<T>(stage.dropout, s + 1), doutput_of(s), row, rows);
    }
    if (stage.activation != Activation::identity && !net_.joint(s) && !done) {
        if (this->seen_) see(doutput, stage.n_neurons, row, rows, this->seen_->stages[s].doutput);
        const ActivationKernels<T>& activation = kernel_.activations[stage.activation];
        const Grid<T> saved = saved_of(s).grid(row);
        if (stage.entry().by_rows) activation.backward_rows(rows, stage.n_neurons, constant(doutput), constant(memory.outputs.grid(row)), dvalues, scratch, false, true);
        else
            for (Index p = 0; p < panels_of<T>(stage.n_neurons); ++p)
                activation.backward(rows * lanes<T>, stage.activation_parameters.data(), at(doutput, 0, p).data, at(saved, 0, p).data, at(dvalues, 0, p).data);
        if (stage.shares.present) mix_backward(s, row, rows);
    }
    if (this->seen_) see(dvalues, stage.n_neurons, row, rows, this->seen_->stages[s].dproduct);
    if (!net_.needs_dinputs(s)) return;
    if (few(batch)) skinny_dinputs(s, row, rows);
    else packed_dinputs(batch, s, row, rows);
    if (this->seen_ && s == 0) see(dscaled_.grid(row), stage.n_inputs, row, rows, this->seen_->dinputs);
}

// dinputs = dvalues . weights^T, and on through the derivative of the activation below.
template <class T> void PanelsEngine<T>::packed_dinputs(const Batch& batch, std::size_t s, Index row, Index rows) {
    const Stage& stage = net_.stages[s];
    const StageMemory<T>& memory = stages_[s];
    const Grid<T> dvalues = memory.dvalues.grid(row);
    const Grid<T> dinputs = dinputs_of(s).grid(row);
    for (Index first = 0; first < stage.n_neurons; first += blocks_.inner) {
        const Index count = std::min(stage.n_neurons - first, blocks_.inner);
        Product<T> job = {rows, count, stage.n_inputs, constant(at(dvalues, 0, first / lanes<T>)), {memory.transposed + first * lanes<T>, lanes<T>, memory.transposed_panel},
                          first ? constant(dinputs) : Grid<const T>{nullptr, 0, 0}, dinputs, true, memory.streams};
        if (s > 0 && first + count == stage.n_neurons && net_.derives_in_product(s - 1)) {
            job.derivative = net_.stages[s - 1].activation;
            job.saved = constant(stages_[s - 1].outputs.grid(row));
            job.parameters = net_.stages[s - 1].activation_parameters.data();
            job.factor = batch.factor<T>(net_.stages[s - 1].dropout, s);
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
                                {at(dinputs_of(s).grid(r), 0, q).data, 1, lanes<T>}, true, false});
}

// Element (r, c) of the batch is number r * columns + c of the step's stream.
template <class T>
void PanelsEngine<T>::draw(std::size_t layer, const Dropout& dropout, const Batch& batch, const Kept& kept, Index row, Index rows, Index columns) {
    kernel_.draw_dropout({rows, columns, batch.keep(dropout, layer), batch.streams[layer].key, batch.streams[layer].step + batch.forwards, static_cast<std::uint64_t>((batch.position + row) * columns), kept.bits(row)});
}

// dropped = values * mask
template <class T>
void PanelsEngine<T>::drop(const Panels<T>& values, const Kept& kept, T factor, const Panels<T>& dropped, Index row, Index rows) {
    kernel_.drop({rows, values.columns, false, constant(values.grid(row)), kept.bits(row), factor, dropped.grid(row)});
}

template void PanelsEngine<float>::gather_inputs(const Batch&, Index, Index, const Grid<float>&);
template void PanelsEngine<double>::gather_inputs(const Batch&, Index, Index, const Grid<double>&);

}  // namespace panels

using panels::PanelsEngine;

template <class T> std::unique_ptr<Engine<T>> make_panels_engine(const Network& network) { return std::make_unique<PanelsEngine<T>>(network); }
template std::unique_ptr<Engine<float>> make_panels_engine(const Network&);
template std::unique_ptr<Engine<double>> make_panels_engine(const Network&);

}  // namespace chainrule::model

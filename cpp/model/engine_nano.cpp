// Engine "nano": samples in the vector lanes, one row of memory per neuron.
//
// For nets so small that neurons would leave lanes empty. Weights keep their natural layout: forward and dinputs are
// "one weight times a vector of samples", and each gradient ends with a sum over the lanes. One thread: a step takes
// less time than a barrier is worth.
//
// Samples go through all layers, forward and back, in blocks of a few vectors that stay in L1; each gradient stays
// `lanes` partial sums until the last block.
//
//   values      row 0: ones, whose weight is the bias; row 1 + j: neuron j of the block's samples
//   dvalues     row j: neuron j; in the place of the values where nobody needs those any more
//   parameters  per stage (1 + n_inputs, n_neurons), row 0 the biases; all stages one behind the other
//   gradient    the same; its partial sums, between blocks, a vector for each
//
// Lanes beyond the last sample hold finite values and gradient 0.

#include <algorithm>
#include <cmath>

#include "model/grids.hpp"
#include "model/plan.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/memory.hpp"

namespace chainrule::model {
namespace {

using runtime::Barrier;
using runtime::Worker;

// Bytes of one block's values and gradients: half of L1, which partial sums and inputs share (chosen on `spiral`).
constexpr Index block_bytes = 27 * 1024;

template <class T> struct StageRows {
    T* values = nullptr;   // (1 + n_neurons, block)
    T* dvalues = nullptr;  // (n_neurons, block)
    T* mask = nullptr;     // with dropout
    T* dropped = nullptr;
    Index offset = 0, count = 0;  // its part of the parameters
    // Its three products, as the constructor laid them out; a pass sets the number of samples and where the inputs stand.
    Product<T> forward = {}, dinputs = {}, gradient = {};
    Grid<T> totals = {}, partials = {};  // of the gradient, in its last block and before
};

template <class T> class NanoEngine final : public Engine<T> {
  public:
    explicit NanoEngine(const Network& network);

    void load(const std::vector<StageArrays<T>>& arrays) override;
    void store(const std::vector<StageArrays<T>>& arrays) const override;
    void pass(const Batch& batch, Worker worker, Barrier& barrier) override;
    void update(const UpdateRule& rule, double clip_norm, Index rows, Worker worker, Barrier& barrier) override;
    double penalty() const override;
    void reserve(int) override {}
    std::size_t bytes() const override { return arena_.bytes(); }
    bool uses_threads() const override { return false; }

  private:
    // The samples [first, first + rows) of a batch.
    struct Part {
        Index first, rows;
    };
    void plan_jobs();
    void gather(const Batch& batch);
    void forward(const Batch& batch, Part part, std::size_t s);
    void loss(const Batch& batch, Part part);
    void backward(const Batch& batch, Part part, std::size_t s);
    void drop(const Dropout& dropout, const Batch& batch, Part part, const T* values, Index row, T* mask, T* dropped, Index columns);
    void step(const UpdateRule& rule, Index first, Index count);
    Index block_vectors() const;
    // Whether dvalues of stage s, as they come with the derivative from the stage above, overwrite its values.
    bool in_place(std::size_t s) const { return s + 1 < net_.stages.size() && ends_in_derivative(net_.stages[s]); }
    Grid<T> rows(T* data, Index first) const { return {data + first * block_, block_, lanes<T>}; }
    // What stage s reads: the batch's inputs from the block's first sample on, or the values of the stage before.
    Grid<T> inputs_of(std::size_t s, Part part, bool training) const {
        if (s == 0 && !(training && input_dropped_)) return {inputs_ + part.first, stride_, lanes<T>};
        if (s == 0) return rows(input_dropped_, 0);
        const StageRows<T>& before = stages_[s - 1];
        return rows(training && before.dropped ? before.dropped : before.values, 0);
    }

    const Network net_;
    const Kernels<T>& kernel_;
    runtime::Arena arena_;
    Index stride_;  // samples of a batch, in whole vectors
    Index block_;   // samples of a block, in whole vectors
    T *inputs_ = nullptr, *input_mask_ = nullptr, *input_dropped_ = nullptr, *targets_ = nullptr;
    std::vector<StageRows<T>> stages_;
    T *parameters_ = nullptr, *gradient_ = nullptr, *partials_ = nullptr, *momentums_ = nullptr, *cache_ = nullptr;
    Index count_ = 0;
    std::int64_t* labels_ = nullptr;
    T *sample_scale_ = nullptr, *scratch_ = nullptr;
    LossJob<T> loss_ = {};
    bool one_rule_ = true;  // all parameters take the same step
};

template <class T>
NanoEngine<T>::NanoEngine(const Network& network)
    : net_(network), kernel_(runtime::kernels<T>()), stride_((network.batch_size + lanes<T> - 1) / lanes<T> * lanes<T>),
      block_(block_vectors() * lanes<T>), stages_(network.stages.size()) {
    Index widest = net_.stages.front().n_inputs;
    arena_.plan_zeros(&inputs_, (1 + widest) * stride_);
    if (net_.input_dropout.keep < 1) {
        arena_.plan_zeros(&input_mask_, widest * block_);
        arena_.plan_zeros(&input_dropped_, (1 + widest) * block_);
    }
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        StageRows<T>& memory = stages_[s];
        arena_.plan_zeros(&memory.values, (1 + stage.n_neurons) * block_);
        if (!in_place(s)) arena_.plan_zeros(&memory.dvalues, stage.n_neurons * block_);
        if (stage.dropout.keep < 1) {
            arena_.plan_zeros(&memory.mask, stage.n_neurons * block_);
            arena_.plan_zeros(&memory.dropped, (1 + stage.n_neurons) * block_);
        }
        memory.offset = count_;
        memory.count = (1 + stage.n_inputs) * stage.n_neurons;
        count_ += memory.count;
        widest = std::max(widest, stage.n_neurons);
        one_rule_ = one_rule_ && !stage.regularized();
    }
    arena_.plan_zeros(&parameters_, count_);
    arena_.plan_zeros(&gradient_, count_);
    if (block_ < stride_) arena_.plan_zeros(&partials_, count_ * lanes<T>);
    if (uses_momentums(net_.rule)) arena_.plan_zeros(&momentums_, count_);
    if (uses_cache(net_.rule)) arena_.plan_zeros(&cache_, count_);
    if (net_.labels) arena_.plan_zeros(&labels_, stride_);
    else arena_.plan_zeros(&targets_, net_.stages.back().n_neurons * stride_);
    arena_.plan_zeros(&sample_scale_, stride_);
    arena_.plan_zeros(&this->sample_losses_, stride_);
    arena_.plan_zeros(&this->hits_, stride_);
    arena_.plan_zeros(&scratch_, std::max(3 * widest * lanes<T>, widest * block_));
    arena_.allocate();
    std::fill_n(inputs_, stride_, T(1));
    if (input_dropped_) std::fill_n(input_dropped_, block_, T(1));
    for (const StageRows<T>& memory : stages_) {
        std::fill_n(memory.values, block_, T(1));
        if (memory.dropped) std::fill_n(memory.dropped, block_, T(1));
    }
    for (std::size_t s = 0; s < stages_.size(); ++s)
        if (in_place(s)) stages_[s].dvalues = stages_[s].values + block_;
    plan_jobs();
}

// What is the same in every step: a step takes less time than describing its work anew.
template <class T> void NanoEngine<T>::plan_jobs() {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        StageRows<T>& memory = stages_[s];
        const Grid<const T> parameters = {parameters_ + memory.offset, stage.n_neurons, lanes<T>};
        const Grid<const T> weights = {parameters.data + stage.n_neurons, stage.n_neurons, lanes<T>}, none = {nullptr, 0, 0};
        const Grid<T> dvalues = rows(memory.dvalues, 0);
        memory.forward = {stage.n_neurons, 1 + stage.n_inputs, 0, parameters, none, none, rows(memory.values, 1), true, stage.activation == Activation::relu, false};
        if (s > 0) memory.dinputs = {stage.n_inputs, stage.n_neurons, 0, weights, constant(dvalues), none, rows(stages_[s - 1].dvalues, 0), true, false, false};
        if (s > 0 && in_place(s - 1)) {
            memory.dinputs.derivative = net_.stages[s - 1].activation;
            memory.dinputs.activated = constant(rows(stages_[s - 1].values, 1));
        }
        memory.gradient = {1 + stage.n_inputs, 0, stage.n_neurons, none, constant(dvalues), none, {}, true, false, false};
        memory.totals = {gradient_ + memory.offset, stage.n_neurons, lanes<T>};
        if (partials_) memory.partials = {partials_ + memory.offset * lanes<T>, stage.n_neurons * lanes<T>, lanes<T>};
    }
    loss_.loss = net_.loss;
    loss_.metric = net_.metric;
    loss_.cols = net_.stages.back().n_neurons;
    loss_.output = rows(stages_.back().values, 1);
    loss_.samples_in_lanes = true;
    loss_.targets = {targets_, stride_, lanes<T>};
    loss_.precision = net_.precision;
    loss_.scratch = scratch_;
    loss_.padded = true;
}

// Vectors of samples in a block, all blocks as equal as possible.
template <class T> Index NanoEngine<T>::block_vectors() const {
    Index neurons = 0;
    for (std::size_t s = 0; s < net_.stages.size(); ++s) neurons += (in_place(s) ? 1 : 2) * net_.stages[s].n_neurons + 1;
    const Index vectors = stride_ / lanes<T>, most = std::max(Index(1), block_bytes / (neurons * line_bytes));
    const Index blocks = (vectors + most - 1) / most;
    return (vectors + blocks - 1) / blocks;
}

// --- parameters -------------------------------------------------------------------------------------------------

template <class T> void NanoEngine<T>::load(const std::vector<StageArrays<T>>& arrays) {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Index m = net_.stages[s].n_neurons, weights = stages_[s].count - m;
        const auto put = [&](T* all, const T* w, const T* b) {
            std::copy_n(b, m, all + stages_[s].offset);
            std::copy_n(w, weights, all + stages_[s].offset + m);
        };
        put(parameters_, arrays[s].weights, arrays[s].biases);
        if (momentums_) put(momentums_, arrays[s].weight_momentums, arrays[s].bias_momentums);
        if (cache_) put(cache_, arrays[s].weight_cache, arrays[s].bias_cache);
    }
}

template <class T> void NanoEngine<T>::store(const std::vector<StageArrays<T>>& arrays) const {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Index m = net_.stages[s].n_neurons, weights = stages_[s].count - m;
        const auto get = [&](const T* all, T* w, T* b) {
            std::copy_n(all + stages_[s].offset, m, b);
            std::copy_n(all + stages_[s].offset + m, weights, w);
        };
        get(parameters_, arrays[s].weights, arrays[s].biases);
        if (momentums_) get(momentums_, arrays[s].weight_momentums, arrays[s].bias_momentums);
        if (cache_) get(cache_, arrays[s].weight_cache, arrays[s].bias_cache);
    }
}

template <class T> double NanoEngine<T>::penalty() const {
    double total = 0;
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        if (!stage.regularized()) continue;
        const T* const biases = parameters_ + stages_[s].offset;
        total += penalty_of(biases, stage.n_neurons, stage.bias_l1, stage.bias_l2);
        total += penalty_of(biases + stage.n_neurons, stage.n_inputs * stage.n_neurons, stage.weight_l1, stage.weight_l2);
    }
    return total;
}

// --- forward and backward -----------------------------------------------------------------------------------------

template <class T> void NanoEngine<T>::pass(const Batch& batch, Worker, Barrier&) {
    gather(batch);
    for (Index first = 0; first < batch.rows; first += block_) {
        const Part part = {first, std::min(batch.rows - first, block_)};
        if (batch.training && input_dropped_)
            drop(net_.input_dropout, batch, part, inputs_ + part.first, stride_, input_mask_, input_dropped_, net_.stages.front().n_inputs);
        for (std::size_t s = 0; s < stages_.size(); ++s) forward(batch, part, s);
        loss(batch, part);
        if (batch.training)
            for (std::size_t s = stages_.size(); s-- > 0;) backward(batch, part, s);
    }
}

template <class T> void NanoEngine<T>::gather(const Batch& batch) {
    if (!batch.same_as_before) {
        const Index d = net_.stages.front().n_inputs, m = net_.stages.back().n_neurons;
        kernel_.gather_transposed({batch.rows, d, batch.inputs, batch.inputs_double, d, batch.order, batch.first, {inputs_ + stride_, stride_, lanes<T>}});
        if (labels_)
            for (Index r = 0; r < batch.rows; ++r) labels_[r] = batch.labels[batch.place(r)];
        else
            kernel_.gather_transposed({batch.rows, m, batch.targets, batch.targets_double, m, batch.order, batch.first, {targets_, stride_, lanes<T>}});
    }
    if (batch.weights) {
        const double total = batch.total_weight();
        for (Index r = 0; r < batch.rows; ++r) sample_scale_[r] = static_cast<T>(batch.weights[batch.place(r)] / total);
    }
}

template <class T> void NanoEngine<T>::forward(const Batch& batch, Part part, std::size_t s) {
    const Stage& stage = net_.stages[s];
    StageRows<T>& memory = stages_[s];
    const Grid<T> output = memory.forward.output;
    memory.forward.cols = part.rows;
    memory.forward.b = constant(inputs_of(s, part, batch.training));
    kernel_.product_tn(memory.forward);
    if (stage.activation == Activation::softmax) {
        if (net_.loss != Loss::softmax_crossentropy || s + 1 != stages_.size())
            kernel_.softmax_forward(part.rows, stage.n_neurons, constant(output), output, scratch_, true, true);
    } else if (stage.activation != Activation::linear && stage.activation != Activation::relu) {
        kernel_.activation_forward(stage.activation, stage.n_neurons * block_, output.data, output.data);
    }
    if (batch.training && memory.dropped) drop(stage.dropout, batch, part, memory.values, block_, memory.mask, memory.dropped, stage.n_neurons);
}

template <class T> void NanoEngine<T>::loss(const Batch& batch, Part part) {
    loss_.rows = part.rows;
    if (labels_) loss_.labels = labels_ + part.first;
    else loss_.targets.data = targets_ + part.first;
    loss_.sample_losses = this->sample_losses_ + part.first;
    loss_.hits = this->hits_ + part.first;
    loss_.dvalues = batch.training ? rows(stages_.back().dvalues, 0) : Grid<T>{nullptr, 0, 0};
    loss_.scale = static_cast<T>(1.0 / static_cast<double>(batch.rows));
    loss_.sample_scale = batch.weights ? sample_scale_ + part.first : nullptr;
    kernel_.loss(loss_);
}

template <class T> void NanoEngine<T>::backward(const Batch& batch, Part part, std::size_t s) {
    const Stage& stage = net_.stages[s];
    StageRows<T>& memory = stages_[s];
    const Index count = stage.n_neurons * block_;
    if (memory.dropped) kernel_.multiply(count, memory.dvalues, memory.mask, memory.dvalues);
    const Grid<T> dvalues = rows(memory.dvalues, 0), output = memory.forward.output;
    if (stage.activation == Activation::softmax) {
        if (net_.loss != Loss::softmax_crossentropy || s + 1 != stages_.size())
            kernel_.softmax_backward(part.rows, stage.n_neurons, constant(dvalues), constant(output), dvalues, scratch_, true, true);
    } else if (stage.activation != Activation::linear && !in_place(s)) {
        kernel_.activation_backward(stage.activation, count, dvalues.data, output.data, dvalues.data);
    }
    const bool last = part.first + part.rows == batch.rows;
    memory.gradient.inner = part.rows;
    memory.gradient.a = constant(inputs_of(s, part, true));
    memory.gradient.init = part.first > 0 ? constant(memory.partials) : Grid<const T>{nullptr, 0, 0};
    memory.gradient.output = last ? memory.totals : memory.partials;
    if (last) kernel_.product_nt(memory.gradient);
    else kernel_.partial_sums_nt(memory.gradient);
    if (s > 0) {
        memory.dinputs.cols = part.rows;
        kernel_.product(memory.dinputs);
    }
}

// dropped = values * a fresh mask; element (r, c) of the batch is number r * columns + c of the step's stream.
template <class T>
void NanoEngine<T>::drop(const Dropout& dropout, const Batch& batch, Part part, const T* values, Index row, T* mask, T* dropped, Index columns) {
    kernel_.dropout_mask(part.rows * columns, dropout.keep, dropout.key, dropout.step + batch.step, static_cast<std::uint64_t>(part.first * columns), scratch_);
    kernel_.transpose(part.rows, columns, {scratch_, columns, lanes<T>}, rows(mask, 0));
    for (Index c = 0; c < columns; ++c) kernel_.multiply(block_, values + (c + 1) * row, mask + c * block_, dropped + (c + 1) * block_);
}

// --- update -------------------------------------------------------------------------------------------------------

template <class T> void NanoEngine<T>::step(const UpdateRule& rule, Index first, Index count) {
    UpdateJob<T> job = {};
    job.rule = rule;
    job.n = count;
    job.gradient = gradient_ + first;
    job.parameter = parameters_ + first;
    job.momentums = momentums_ ? momentums_ + first : nullptr;
    job.cache = cache_ ? cache_ + first : nullptr;
    kernel_.update(job);
}

template <class T> void NanoEngine<T>::update(const UpdateRule& rule, double clip_norm, Index, Worker, Barrier&) {
    if (net_.clips) {
        for (std::size_t s = 0; s < stages_.size(); ++s) {
            const Stage& stage = net_.stages[s];
            const Index first = stages_[s].offset, m = stage.n_neurons;
            kernel_.regularize(m, static_cast<T>(stage.bias_l1), static_cast<T>(stage.bias_l2), parameters_ + first, gradient_ + first);
            kernel_.regularize(stages_[s].count - m, static_cast<T>(stage.weight_l1), static_cast<T>(stage.weight_l2), parameters_ + first + m, gradient_ + first + m);
        }
        const double norm = std::sqrt(kernel_.sum_of_squares(count_, gradient_));
        if (norm > clip_norm)
            for (Index i = 0; i < count_; ++i) gradient_[i] *= static_cast<T>(clip_norm / norm);
    }
    if (one_rule_ && rule.decay == 0) return step(rule, 0, count_);
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        UpdateRule weights = weight_rule(rule, net_.stages[s]), biases = bias_rule(rule, net_.stages[s]);
        if (net_.clips) weights.l1 = weights.l2 = biases.l1 = biases.l2 = 0;  // already in the gradient
        step(biases, stages_[s].offset, net_.stages[s].n_neurons);
        step(weights, stages_[s].offset + net_.stages[s].n_neurons, stages_[s].count - net_.stages[s].n_neurons);
    }
}

}  // namespace

template <class T> std::unique_ptr<Engine<T>> make_nano_engine(const Network& network) { return std::make_unique<NanoEngine<T>>(network); }
template std::unique_ptr<Engine<float>> make_nano_engine(const Network&);
template std::unique_ptr<Engine<double>> make_nano_engine(const Network&);

}  // namespace chainrule::model

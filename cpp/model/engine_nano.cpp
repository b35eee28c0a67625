// Engine "nano": samples in the vector lanes, one row of memory per neuron.
//
// For nets so small that neurons would leave lanes empty. Weights keep their natural layout: forward and dinputs are
// "one weight times a vector of samples", and each gradient ends with a sum over the lanes. One thread: a step takes
// less time than a barrier is worth.
//
// Samples go through all layers, forward and back, in blocks of a few vectors that stay in L1; each gradient stays
// `lanes` partial sums until the last block. Those of a block are chains; blocks are added up as chunks are (chunks.hpp).
//
//   values      row 0: ones, whose weight is the bias; row 1 + j: neuron j of the block's samples
//   sums        row j: what the activation of neuron j was given, where its derivative needs that
//   dvalues     row j: neuron j; in the place of the values where nobody needs those any more
//   parameters  per stage (1 + n_inputs, n_neurons), row 0 the biases; all stages one behind the other
//   gradient    the same; its partial sums, between blocks, a vector for each
//
// Lanes beyond the last sample hold finite values and gradient 0.

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/chunks.hpp"
#include "model/fetching.hpp"
#include "model/grids.hpp"
#include "model/engine.hpp"
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
    T* sums = nullptr;     // (n_neurons, block), where the activation's derivative is written in them
    T* dvalues = nullptr;  // (n_neurons, block)
    std::uint32_t* kept = nullptr;  // with dropout: bits of the elements that stay
    T* dropped = nullptr;           // values * mask, which feed the next layer, where the values must stay
    Index offset = 0, count = 0;  // its part of the parameters
    // What becomes of its activation: looked up once.
    const ActivationKernels<T>* activation = nullptr;
    bool by_rows = false, activates = false, derives = false;  // in passes of their own, forward and back
    bool learns = false, needs_dinputs = false;
    // Its three products, as the constructor laid them out; a pass sets the number of samples and where the inputs stand.
    Product<T> forward = {}, dinputs = {}, gradient = {};
    Grid<T> totals = {};  // of the gradient
};

template <class T> class NanoEngine final : public Engine<T> {
  public:
    explicit NanoEngine(const Network& network);

    void load(const NetworkArrays<T>& arrays) override;
    void store(const NetworkArrays<T>& arrays) const override;
    void pass(const Batch& batch, Worker worker, Barrier& barrier) override;
    void update(const StepRules& rules, double penalty_factor, Index rows, Worker worker) override;
    void keep(Index rows, InStep place, Worker worker) override;
    void spend(const StepRules& rules, double clip_norm, bool noted, Worker worker, Barrier& barrier) override;
    void notes(std::vector<Notes>& found) const override;
    void give(const NetworkArrays<T>& gradients, Worker worker) override;
    void take(const NetworkArrays<T>& gradients, bool clips, Worker worker) override;
    void reserve_best() override;
    void keep_best() override;
    void store_best(const NetworkArrays<T>& arrays) override;
    double penalty() const override;
    void reserve(int) override {}
    std::size_t bytes() const override { return arena_.bytes() + best_.bytes(); }
    bool uses_threads() const override { return false; }

  private:
    // The samples [first, first + rows) of a batch.
    struct Samples {
        Index first, rows;
    };
    void plan_jobs();
    void plan_states(Index count, T* (&states)[most_states]);
    void pass_blocks(const Batch& batch, Index first, Index end, T* sums);
    void pass_in_groups(const Batch& batch);
    void scale_gradient(Index samples);
    void gather_columns(const Batch& batch, const void* source, Number numbers, Index cols, T* target);
    void gather(const Batch& batch);
    void forward(const Batch& batch, Samples samples, std::size_t s);
    void loss(const Batch& batch, Samples samples);
    void backward(const Batch& batch, Samples samples, std::size_t s, T* sums);
    [[gnu::cold, gnu::noinline]] void look(const Batch& batch, Samples samples, std::size_t s);
    void note_alive(Samples samples, std::size_t s);
    [[gnu::cold, gnu::noinline]] void see(Samples samples, const Grid<T>& values, Index columns, T* place) const;
    void plan_kept(Index columns, std::uint32_t** kept) { arena_.plan_zeros(kept, (columns + 31) / 32 * block_); }
    void draw(std::size_t layer, const Dropout& dropout, const Batch& batch, Samples samples, Index columns, std::uint32_t* kept);
    void drop(T factor, Samples samples, Index columns, Grid<T> values, std::uint32_t* kept, Grid<T> dropped);
    void regularize_gradients(double penalty_factor);
    void clip(double clip_norm);
    void note_before();
    void note_steps();
    Squares squares_of(std::size_t s, const T* values) const;
    void step(const UpdateRule& rule, double penalty_factor, Index first, Index count);
    void step_scale(const UpdateRule& rule, double penalty_factor);
    template <class Body> void for_each_array(const NetworkArrays<T>& arrays, const Body& body) const;
    Index block_vectors() const;
    // Of the stages below s.
    Index units(std::size_t s) const {
        Index sum = 0;
        while (s-- > 0) sum += net_.stages[s].n_neurons;
        return sum;
    }
    Index groups_of_blocks() const { return (stride_ + chunks_together * block_ - 1) / (chunks_together * block_); }
    void finish_gradients(const T* sums);
    // Whether dvalues of stage s, as they come with the derivative from the stage above, overwrite its values.
    bool in_place(std::size_t s) const { return net_.derives_in_product(s); }
    // Where the product of stage s goes, and what its activation's derivative is written in.
    T* product_of(std::size_t s) const { return stages_[s].sums ? stages_[s].sums : stages_[s].values + block_; }
    Grid<T> rows(T* data, Index first) const { return {data + first * block_, block_, lanes<T>}; }
    // What stage s reads: the batch's inputs from the block's first sample on, or the values of the stage before.
    Grid<T> inputs_of(std::size_t s, Samples samples, bool training) const {
        if (s == 0 && net_.scales()) return {scaled_ + samples.first, stride_, lanes<T>};
        if (s == 0 && !(training && input_dropped_)) return {inputs_ + samples.first, stride_, lanes<T>};
        if (s == 0) return rows(input_dropped_, 0);
        const StageRows<T>& before = stages_[s - 1];
        return rows(training && before.dropped ? before.dropped : before.values, 0);
    }

    const Network net_;
    const std::size_t lowest_;  // stage that gradients go down to
    const Kernels<T>& kernel_;
    const RuleKernels<T>& rule_;
    const LossKernel<T> loss_kernel_;
    const int states_count_;
    runtime::Arena arena_;
    runtime::Block best_;  // the parameters of the best epoch, then the scale
    Index stride_;  // samples of a batch, in whole vectors
    Index block_;   // samples of a block, in whole vectors
    T *inputs_ = nullptr, *input_dropped_ = nullptr, *targets_ = nullptr;
    std::uint32_t* input_kept_ = nullptr;
    T *scaled_ = nullptr, *dscaled_ = nullptr;  // inputs times their factors, and the gradient of that: whole batches
    T *scale_ = nullptr, *dscale_ = nullptr, *scale_states_[most_states] = {};
    std::vector<StageRows<T>> stages_;
    T *parameters_ = nullptr, *gradient_ = nullptr, *partials_ = nullptr, *states_[most_states] = {};
    T *sum_ = nullptr, *lost_ = nullptr, *scale_sum_ = nullptr, *scale_lost_ = nullptr;  // of several batches' gradients
    T* scale_partials_ = nullptr;  // sums of the factors' gradient over parts of a batch
    T *before_ = nullptr, *scale_before_ = nullptr;  // parameters before a step that is noted
    std::vector<Notes> notes_;      // of the scale, then of the stages
    std::vector<unsigned char> alive_;  // the units of all stages: whether they gave anything but 0
    Index count_ = 0;
    bool looks_ = false;  // at something of the pass in progress
    std::int64_t* labels_ = nullptr;
    T *sample_scale_ = nullptr, *scratch_ = nullptr;
    LossJob<T> loss_ = {};
};

template <class T>
NanoEngine<T>::NanoEngine(const Network& network)
    : net_(network), lowest_(network.lowest()), kernel_(runtime::kernels<T>()), rule_(kernel_.rules[network.rule]), loss_kernel_(kernel_.losses[network.loss]),
      states_count_(network.rule_entry().states.count), stride_((network.batch_size + lanes<T> - 1) / lanes<T> * lanes<T>),
      block_(block_vectors() * lanes<T>), stages_(network.stages.size()) {
    Index widest = net_.stages.front().n_inputs;
    arena_.plan_zeros(&inputs_, (1 + widest) * stride_);
    if (net_.scales()) {
        arena_.plan_zeros(&scaled_, (1 + widest) * stride_);
        if (net_.scale_learns()) arena_.plan_zeros(&dscaled_, widest * stride_);
        arena_.plan_zeros(&scale_, widest);
        arena_.plan_zeros(&dscale_, widest);
        const Index chunks = (net_.batch_size + chunk_samples * lanes<T> - 1) / (chunk_samples * lanes<T>);
        if (chunks > 1) arena_.plan_zeros(&scale_partials_, Cascade<T>::levels(chunks) * net_.n_inputs());
        plan_states(widest, scale_states_);
    }
    if (net_.input_dropout.drops()) {
        plan_kept(widest, &input_kept_);
        arena_.plan_zeros(&input_dropped_, (1 + widest) * block_);
    }
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        StageRows<T>& memory = stages_[s];
        arena_.plan_zeros(&memory.values, (1 + stage.n_neurons) * block_);
        if (stage.entry().needs_inputs) arena_.plan_zeros(&memory.sums, stage.n_neurons * block_);
        if (!in_place(s)) arena_.plan_zeros(&memory.dvalues, stage.n_neurons * block_);
        if (stage.dropout.drops()) plan_kept(stage.n_neurons, &memory.kept);
        if (stage.dropout.drops() && !stage.drops_in_place()) arena_.plan_zeros(&memory.dropped, (1 + stage.n_neurons) * block_);
        memory.offset = count_;
        memory.count = (1 + stage.n_inputs) * stage.n_neurons;
        count_ += memory.count;
        widest = std::max(widest, stage.n_neurons);
    }
    arena_.plan_zeros(&parameters_, count_);
    arena_.plan_zeros(&gradient_, count_);
    if (net_.accumulate > 1) {
        arena_.plan_zeros(&sum_, count_);
        arena_.plan_zeros(&lost_, count_);
        arena_.plan_zeros(&scale_sum_, net_.n_inputs());
        arena_.plan_zeros(&scale_lost_, net_.n_inputs());
    }
    if (net_.noted) {
        arena_.plan_zeros(&before_, count_);
        arena_.plan_zeros(&scale_before_, net_.n_inputs());
        notes_.resize(1 + stages_.size());
        alive_.resize(static_cast<std::size_t>(units(stages_.size())));
    }
    if (block_ < stride_) arena_.plan_zeros(&partials_, Cascade<T>::levels(groups_of_blocks()) * count_ * lanes<T>);
    plan_states(count_, states_);
    if (net_.labels) arena_.plan_zeros(&labels_, stride_);
    else arena_.plan_zeros(&targets_, net_.n_targets() * stride_);
    arena_.plan_zeros(&sample_scale_, stride_);
    arena_.plan_zeros(&this->sample_losses_, stride_);
    arena_.plan_zeros(&this->hits_, stride_);
    arena_.plan_zeros(&scratch_, std::max((3 * widest + lanes<T>) * lanes<T>, widest * block_));
    arena_.allocate();
    std::fill_n(inputs_, stride_, T(1));
    if (scaled_) std::fill_n(scaled_, stride_, T(1));
    if (input_dropped_) std::fill_n(input_dropped_, block_, T(1));
    for (const StageRows<T>& memory : stages_) {
        std::fill_n(memory.values, block_, T(1));
        if (memory.dropped) std::fill_n(memory.dropped, block_, T(1));
    }
    for (std::size_t s = 0; s < stages_.size(); ++s)
        if (in_place(s)) stages_[s].dvalues = stages_[s].values + block_;
    plan_jobs();
}

template <class T> void NanoEngine<T>::plan_states(Index count, T* (&states)[most_states]) {
    for (int i = 0; i < states_count_; ++i) arena_.plan_zeros(&states[i], count);
}

// What is the same in every step: a step takes less time than describing its work anew.
template <class T> void NanoEngine<T>::plan_jobs() {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        StageRows<T>& memory = stages_[s];
        const Grid<const T> parameters = {parameters_ + memory.offset, stage.n_neurons, lanes<T>};
        const Grid<const T> weights = {parameters.data + stage.n_neurons, stage.n_neurons, lanes<T>}, none = {nullptr, 0, 0};
        const Grid<T> dvalues = rows(memory.dvalues, 0);
        memory.forward = {stage.n_neurons, 1 + stage.n_inputs, 0, parameters, none, none, rows(product_of(s), 0), true, false};
        if (net_.activates_in_product(s) && stage.entry().parameters.count == 0) memory.forward.activation = stage.activation;
        memory.activation = &kernel_.activations[stage.activation];
        memory.by_rows = stage.entry().by_rows;
        memory.activates = stage.activation != memory.forward.activation && !net_.joint(s);
        memory.derives = stage.activation != Activation::identity && !net_.joint(s) && !in_place(s);
        memory.learns = stage.learns();
        memory.needs_dinputs = net_.needs_dinputs(s);
        if (memory.needs_dinputs) {
            const Grid<T> dinputs = s > 0 ? rows(stages_[s - 1].dvalues, 0) : Grid<T>{dscaled_, stride_, lanes<T>};
            memory.dinputs = {stage.n_inputs, stage.n_neurons, 0, weights, constant(dvalues), none, dinputs, true, false};
        }
        if (s > 0 && in_place(s - 1)) {
            memory.dinputs.derivative = net_.stages[s - 1].activation;
            memory.dinputs.saved = constant(rows(stages_[s - 1].values, 1));
            memory.dinputs.parameters = net_.stages[s - 1].activation_parameters.data();
        }
        memory.gradient = {1 + stage.n_inputs, 0, stage.n_neurons, none, constant(dvalues), none, {}, true, false};
        memory.totals = {gradient_ + memory.offset, stage.n_neurons, lanes<T>};
    }
    loss_.metric = net_.metric;
    loss_.cols = net_.stages.back().n_neurons;
    loss_.output = rows(stages_.back().values, 1);
    loss_.samples_in_lanes = true;
    loss_.target_cols = net_.n_targets();
    loss_.targets = {targets_, stride_, lanes<T>};
    loss_.parameters = net_.loss_parameters.data();
    loss_.scratch = scratch_;
    loss_.padded = true;
}

// Vectors of samples in a block, all blocks as equal as possible; the bits depend on it, so an observed network has the same.
template <class T> Index NanoEngine<T>::block_vectors() const {
    Index neurons = 0;
    for (std::size_t s = 0; s < net_.stages.size(); ++s) neurons += (net_.can_derive_in_product(s) ? 1 : 2) * net_.stages[s].n_neurons + 1;
    const Index vectors = stride_ / lanes<T>, most = std::clamp(block_bytes / (neurons * line_bytes), Index(1), chunk_samples);
    const Index blocks = (vectors + most - 1) / most;
    return (vectors + blocks - 1) / blocks;
}

// --- parameters -------------------------------------------------------------------------------------------------

// Calls body(values here, user's values, count) for each parameter and each array beside it.
template <class T> template <class Body> void NanoEngine<T>::for_each_array(const NetworkArrays<T>& arrays, const Body& body) const {
    const auto parameter = [&](T* values, T* const* own_states, Index offset, const ParameterArrays<T>& user, Index count) {
        if (user.values) body(values + offset, user.values, count);
        for (int i = 0; i < states_count_; ++i)
            if (user.states[i]) body(own_states[i] + offset, user.states[i], count);
    };
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Index m = net_.stages[s].n_neurons, first = stages_[s].offset;
        parameter(parameters_, states_, first, arrays.stages[s].biases, m);
        parameter(parameters_, states_, first + m, arrays.stages[s].weights, stages_[s].count - m);
    }
    if (net_.scales()) parameter(scale_, scale_states_, 0, arrays.scale, net_.n_inputs());
}

template <class T> void NanoEngine<T>::load(const NetworkArrays<T>& arrays) {
    for_each_array(arrays, [](T* here, const T* user, Index count) { std::copy_n(user, count, here); });
}

template <class T> void NanoEngine<T>::store(const NetworkArrays<T>& arrays) const {
    for_each_array(arrays, [](const T* here, T* user, Index count) { std::copy_n(here, count, user); });
}

template <class T> void NanoEngine<T>::reserve_best() {
    const std::size_t wanted = static_cast<std::size_t>(count_ + (scale_ ? net_.n_inputs() : 0)) * sizeof(T);
    if (best_.bytes() < wanted) best_ = runtime::Block(wanted);
}

template <class T> void NanoEngine<T>::keep_best() {
    T* const best = static_cast<T*>(best_.data());
    std::copy_n(parameters_, count_, best);
    if (scale_) std::copy_n(scale_, net_.n_inputs(), best + count_);
}

template <class T> void NanoEngine<T>::store_best(const NetworkArrays<T>& arrays) {
    T* const own = std::exchange(parameters_, static_cast<T*>(best_.data()));
    T* const own_scale = std::exchange(scale_, scale_ ? parameters_ + count_ : nullptr);
    store(arrays);
    parameters_ = own;
    scale_ = own_scale;
}

template <class T> double NanoEngine<T>::penalty() const {
    double total = 0;
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        const T* const biases = parameters_ + stages_[s].offset;
        if (stage.biases.regularized()) total += penalty_of(biases, stage.n_neurons, stage.biases);
        if (stage.weights.regularized()) total += penalty_of(biases + stage.n_neurons, stage.n_inputs * stage.n_neurons, stage.weights);
    }
    if (net_.scale.regularized()) total += penalty_of(scale_, net_.n_inputs(), net_.scale);
    return total;
}

// --- forward and backward -----------------------------------------------------------------------------------------

template <class T> void NanoEngine<T>::pass(const Batch& batch, Worker, Barrier&) {
    gather(batch);
    looks_ = this->seen_ || batch.noted;
    if (batch.noted && batch.first == batch.step_first) std::fill(alive_.begin(), alive_.end(), static_cast<unsigned char>(0));
    if (net_.scales())
        kernel_.scale_columns(batch.rows, net_.n_inputs(), {inputs_ + stride_, stride_, lanes<T>}, scale_, {scaled_ + stride_, stride_, lanes<T>}, true);
    if (batch.rows > chunks_together * block_) return pass_in_groups(batch);
    pass_blocks(batch, 0, batch.rows, partials_);
}

// Blocks of samples from `first` on, as many as make a group or all there are.
template <class T> void NanoEngine<T>::pass_blocks(const Batch& batch, Index first, Index end, T* sums) {
    for (; first < end; first += block_) {
        const Samples samples = {first, std::min(end - first, block_)};
        if (batch.training && input_dropped_) {
            draw(0, net_.input_dropout, batch, samples, net_.n_inputs(), input_kept_);
            drop(batch.factor<T>(net_.input_dropout, 0), samples, net_.n_inputs(), {inputs_ + stride_ + samples.first, stride_, lanes<T>}, input_kept_, rows(input_dropped_, 1));
        }
        if (batch.next_rows > 0) fetch_next(batch, net_, samples.first, samples.first + samples.rows);
        for (std::size_t s = 0; s < stages_.size(); ++s) forward(batch, samples, s);
        loss(batch, samples);
        if (batch.training)
            for (std::size_t s = stages_.size(); s-- > lowest_;) backward(batch, samples, s, sums);
    }
    if (batch.training && dscaled_ && end == batch.rows) scale_gradient(batch.rows);
    if (this->seen_ && dscaled_ && end == batch.rows) see({0, batch.rows}, {dscaled_, stride_, lanes<T>}, net_.n_inputs(), this->seen_->dinputs);
}

// A lane's chain is a chunk; what the chunks of all lanes come to is added up in turn.
template <class T> void NanoEngine<T>::scale_gradient(Index samples) {
    constexpr Index together = chunk_samples * lanes<T>;
    const auto sum = [&](Index first, T* place) {
        kernel_.sum_products(std::min(samples - first, together), net_.n_inputs(), {inputs_ + stride_ + first, stride_, lanes<T>}, {dscaled_ + first, stride_, lanes<T>}, place, true);
    };
    if (samples <= together) return sum(0, dscale_);
    Cascade<T> sums(scale_partials_, net_.n_inputs());
    for (Index first = 0; first < samples; first += together) {
        sum(first, sums.place());
        sums.add();
    }
    std::copy_n(sums.total(), net_.n_inputs(), dscale_);
}

template <class T> void NanoEngine<T>::pass_in_groups(const Batch& batch) {
    Cascade<T> sums(partials_, count_ * lanes<T>);
    const Index group = chunks_together * block_;
    for (Index first = 0; first < batch.rows; first += group) {
        pass_blocks(batch, first, std::min(first + group, batch.rows), sums.place());
        sums.add();
    }
    if (batch.training) finish_gradients(sums.total());
}

// (rows, cols) of user data -> (cols, rows). Whole numbers are converted row by row first.
template <class T> void NanoEngine<T>::gather_columns(const Batch& batch, const void* source, Number numbers, Index cols, T* target) {
    const Grid<T> output = {target, stride_, lanes<T>};
    if (is_float(numbers)) return kernel_.gather_transposed({batch.rows, cols, source, numbers, cols, batch.order, batch.first, output});
    const Index row = (cols + lanes<T> - 1) / lanes<T> * lanes<T>;
    for (Index r = 0; r < batch.rows; r += lanes<T>) {
        const Index rows = std::min(batch.rows - r, lanes<T>);
        kernel_.gather({rows, cols, source, numbers, cols, batch.order, batch.first + r, {scratch_, row, lanes<T>}});
        kernel_.transpose(rows, cols, {scratch_, row, lanes<T>}, {target + r, stride_, lanes<T>});
    }
}

template <class T> void NanoEngine<T>::gather(const Batch& batch) {
    if (!batch.same_as_before) {
        gather_columns(batch, batch.inputs, batch.input_numbers, net_.n_inputs(), inputs_ + stride_);
        if (labels_)
            for (Index r = 0; r < batch.rows; ++r) labels_[r] = batch.labels[batch.place(r)];
        else
            gather_columns(batch, batch.targets, batch.target_numbers, net_.n_targets(), targets_);
    }
    if (batch.weights) {
        const double total = batch.total_weight();
        for (Index r = 0; r < batch.rows; ++r) sample_scale_[r] = static_cast<T>(net_.loss_factor * batch.weights[batch.place(r)] / total);
    }
}

template <class T> void NanoEngine<T>::forward(const Batch& batch, Samples samples, std::size_t s) {
    const Stage& stage = net_.stages[s];
    StageRows<T>& memory = stages_[s];
    const Grid<T> sums = memory.forward.output, output = rows(memory.values, 1);
    memory.forward.cols = samples.rows;
    memory.forward.b = constant(inputs_of(s, samples, batch.training));
    kernel_.product_tn(memory.forward);
    if (memory.activates) {
        if (this->seen_) see(samples, sums, stage.n_neurons, this->seen_->stages[s].product);
        if (memory.by_rows) memory.activation->forward_rows(samples.rows, stage.n_neurons, constant(sums), output, scratch_, true, true);
        else memory.activation->forward(stage.n_neurons * block_, stage.activation_parameters.data(), sums.data, output.data);
    }
    if (looks_) look(batch, samples, s);
    if (batch.training && memory.kept) {
        draw(s + 1, stage.dropout, batch, samples, stage.n_neurons, memory.kept);
        drop(batch.factor<T>(stage.dropout, s + 1), samples, stage.n_neurons, output, memory.kept, stage.drops_in_place() ? output : rows(memory.dropped, 1));
        if (this->seen_) see(samples, stage.drops_in_place() ? output : rows(memory.dropped, 1), stage.n_neurons, this->seen_->stages[s].dropped);
    }
}

// What stage s has made of its inputs, before the dropout.
template <class T> void NanoEngine<T>::look(const Batch& batch, Samples samples, std::size_t s) {
    if (batch.noted && net_.stages[s].entry().needs_sign) note_alive(samples, s);
    if (!this->seen_) return;
    const Index columns = net_.stages[s].n_neurons;
    if (s == 0) see(samples, offset(inputs_of(0, samples, batch.training), 1, 0), net_.n_inputs(), this->seen_->inputs);
    const StageSeen<T>& seen = this->seen_->stages[s];
    see(samples, rows(stages_[s].values, 1), columns, net_.joint(s) ? seen.product : seen.output);
}

template <class T> void NanoEngine<T>::note_alive(Samples samples, std::size_t s) {
    unsigned char* const alive = alive_.data() + units(s);
    for (Index j = 0; j < net_.stages[s].n_neurons; ++j) {
        const T* const values = stages_[s].values + (1 + j) * block_;
        bool any = false;
        for (Index r = 0; r < samples.rows; ++r) any |= values[r] != 0;
        alive[j] |= static_cast<unsigned char>(any);
    }
}

// (columns, samples) of a block -> rows of the batch.
template <class T> void NanoEngine<T>::see(Samples samples, const Grid<T>& values, Index columns, T* place) const {
    if (!place) return;
    for (Index r = 0; r < samples.rows; ++r)
        for (Index c = 0; c < columns; ++c) place[(samples.first + r) * columns + c] = values.data[c * values.row + r];
}

template <class T> void NanoEngine<T>::loss(const Batch& batch, Samples samples) {
    loss_.rows = samples.rows;
    if (labels_) loss_.labels = labels_ + samples.first;
    else loss_.targets.data = targets_ + samples.first;
    loss_.sample_losses = this->sample_losses_ + samples.first;
    loss_.hits = this->hits_ + samples.first;
    loss_.precision = batch.precision;
    loss_.dvalues = batch.training ? rows(stages_.back().dvalues, 0) : Grid<T>{nullptr, 0, 0};
    loss_.scale = static_cast<T>(net_.loss_factor / static_cast<double>(batch.step_rows));
    loss_.sample_scale = batch.weights ? sample_scale_ + samples.first : nullptr;
    loss_kernel_(loss_);
    if (looks_ && this->seen_ && net_.joint(stages_.size() - 1)) see(samples, rows(stages_.back().values, 1), net_.n_outputs(), this->seen_->stages.back().output);
}

template <class T> void NanoEngine<T>::backward(const Batch& batch, Samples samples, std::size_t s, T* sums) {
    const Stage& stage = net_.stages[s];
    StageRows<T>& memory = stages_[s];
    const Grid<T> dvalues = rows(memory.dvalues, 0);
    if (memory.kept && !in_place(s)) {
        if (this->seen_) see(samples, dvalues, stage.n_neurons, this->seen_->stages[s].ddropped);
        drop(batch.factor<T>(stage.dropout, s + 1), samples, stage.n_neurons, dvalues, memory.kept, dvalues);
    }
    if (memory.derives) {
        if (this->seen_) see(samples, dvalues, stage.n_neurons, this->seen_->stages[s].doutput);
        if (memory.by_rows)
            memory.activation->backward_rows(samples.rows, stage.n_neurons, constant(dvalues), constant(rows(memory.values, 1)), dvalues, scratch_, true, true);
        else memory.activation->backward(stage.n_neurons * block_, stage.activation_parameters.data(), dvalues.data, product_of(s), dvalues.data);
    }
    if (looks_ && this->seen_) see(samples, dvalues, stage.n_neurons, this->seen_->stages[s].dproduct);
    if (memory.learns) {
        const bool last = batch.rows <= chunks_together * block_ && samples.first + samples.rows == batch.rows;
        const Grid<T> partials = {sums + memory.offset * lanes<T>, stage.n_neurons * lanes<T>, lanes<T>};
        memory.gradient.inner = samples.rows;
        memory.gradient.a = constant(inputs_of(s, samples, true));
        memory.gradient.init_last = samples.first % (chunks_together * block_) > 0;  // to the blocks of its group
        memory.gradient.init = memory.gradient.init_last ? constant(partials) : Grid<const T>{nullptr, 0, 0};
        memory.gradient.output = last ? memory.totals : partials;
        if (last) kernel_.product_nt(memory.gradient);
        else kernel_.lane_sums_nt(memory.gradient);
    }
    if (memory.needs_dinputs) {
        memory.dinputs.cols = samples.rows;
        if (s > 0 && net_.stages[s - 1].dropout.drops()) memory.dinputs.factor = batch.factor<T>(net_.stages[s - 1].dropout, s);
        if (s == 0) memory.dinputs.output.data = dscaled_ + samples.first;
        kernel_.product(memory.dinputs);
    }
}

// The sums over the lanes, of many blocks.
template <class T> void NanoEngine<T>::finish_gradients(const T* sums) {
    for (std::size_t s = lowest_; s < stages_.size(); ++s) {
        StageRows<T>& memory = stages_[s];
        memory.gradient.inner = 0;
        memory.gradient.init_last = false;
        memory.gradient.init = {sums + memory.offset * lanes<T>, net_.stages[s].n_neurons * lanes<T>, lanes<T>};
        memory.gradient.output = memory.totals;
        kernel_.product_nt(memory.gradient);
    }
}

// Element (r, c) of the batch is number r * columns + c of the step's stream.
template <class T>
void NanoEngine<T>::draw(std::size_t layer, const Dropout& dropout, const Batch& batch, Samples samples, Index columns, std::uint32_t* kept) {
    kernel_.draw_dropout({samples.rows, columns, batch.keep(dropout, layer), batch.streams[layer].key, batch.streams[layer].step + batch.forwards,
                          static_cast<std::uint64_t>((batch.position + samples.first) * columns), {kept, 1, block_}});
}

// dropped = values * mask
template <class T> void NanoEngine<T>::drop(T factor, Samples samples, Index columns, Grid<T> values, std::uint32_t* kept, Grid<T> dropped) {
    kernel_.drop({samples.rows, columns, true, constant(values), {kept, 1, block_}, factor, dropped});
}

// --- update -------------------------------------------------------------------------------------------------------

template <class T> void NanoEngine<T>::step(const UpdateRule& rule, double penalty_factor, Index first, Index count) {
    UpdateJob<T> job = {};
    job.rule = rule;
    scale_penalties(job.rule, penalty_factor);
    job.n = count;
    job.gradient = gradient_ + first;
    job.parameter = parameters_ + first;
    for (int i = 0; i < states_count_; ++i) job.states[i] = states_[i] + first;
    rule_.update(job);
}

template <class T> void NanoEngine<T>::step_scale(const UpdateRule& rule, double penalty_factor) {
    UpdateJob<T> job = {};
    job.rule = rule;
    scale_penalties(job.rule, penalty_factor);
    job.n = net_.n_inputs();
    job.gradient = dscale_;
    job.parameter = scale_;
    for (int i = 0; i < states_count_; ++i) job.states[i] = scale_states_[i];
    rule_.update(job);
}

// Kept gradients have the penalties' part in them; what does not learn has none.
template <class T> void NanoEngine<T>::regularize_gradients(double penalty_factor) {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        const auto part = [&](const Parameter& parameter, Index first, Index count) {
            if (!parameter.present || !parameter.learns) return std::fill_n(gradient_ + first, count, T(0)), void();
            kernel_.regularize(count, static_cast<T>(penalty_factor * parameter.l1), static_cast<T>(penalty_factor * parameter.l2), parameters_ + first, gradient_ + first);
        };
        part(stage.biases, stages_[s].offset, stage.n_neurons);
        part(stage.weights, stages_[s].offset + stage.n_neurons, stages_[s].count - stage.n_neurons);
    }
    if (dscaled_)
        kernel_.regularize(net_.n_inputs(), static_cast<T>(penalty_factor * net_.scale.l1), static_cast<T>(penalty_factor * net_.scale.l2), scale_, dscale_);
}

template <class T> void NanoEngine<T>::clip(double clip_norm) {
    const Index inputs = dscaled_ ? net_.n_inputs() : 0;
    const double norm = std::sqrt(kernel_.sum_of_squares(count_, gradient_) + kernel_.sum_of_squares(inputs, dscale_));
    if (!(norm > clip_norm)) return;
    const T factor = static_cast<T>(clip_norm / norm);
    for (Index i = 0; i < count_; ++i) gradient_[i] *= factor;
    for (Index i = 0; i < inputs; ++i) dscale_[i] *= factor;
}

template <class T> void NanoEngine<T>::keep(Index, InStep place, Worker) {
    const auto add = [place](Index count, T* gradient, T* sum, T* lost) {
        if (place.first) {
            std::copy_n(gradient, count, sum);
            std::fill_n(lost, count, T(0));
            return;
        }
        add_up(count, gradient, sum, lost);
        if (place.last) std::copy_n(sum, count, gradient);
    };
    if (sum_) add(count_, gradient_, sum_, lost_);
    if (sum_ && dscaled_) add(net_.n_inputs(), dscale_, scale_sum_, scale_lost_);
    if (place.last) regularize_gradients(place.penalty_factor);
}

template <class T> void NanoEngine<T>::spend(const StepRules& rules, double clip_norm, bool noted, Worker worker, Barrier&) {
    if (noted) note_before();
    if (clip_norm > 0) clip(clip_norm);
    update(rules, 1, 0, worker);
    if (noted) note_steps();
}

template <class T> void NanoEngine<T>::note_before() {
    std::copy_n(parameters_, count_, before_);
    notes_[0] = {};
    if (dscaled_) {
        std::copy_n(scale_, net_.n_inputs(), scale_before_);
        notes_[0].gradient.weights = kernel_.sum_of_squares(net_.n_inputs(), dscale_);
        notes_[0].parameters.weights = kernel_.sum_of_squares(net_.n_inputs(), scale_);
    }
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        notes_[1 + s].gradient = squares_of(s, gradient_);
        notes_[1 + s].parameters = squares_of(s, parameters_);
    }
}

template <class T> void NanoEngine<T>::note_steps() {
    for (Index i = 0; i < count_; ++i) before_[i] = parameters_[i] - before_[i];
    for (std::size_t s = 0; s < stages_.size(); ++s) notes_[1 + s].step = squares_of(s, before_);
    if (!dscaled_) return;
    for (Index i = 0; i < net_.n_inputs(); ++i) scale_before_[i] = scale_[i] - scale_before_[i];
    notes_[0].step.weights = kernel_.sum_of_squares(net_.n_inputs(), scale_before_);
}

// Of what stands as the parameters do.
template <class T> Squares NanoEngine<T>::squares_of(std::size_t s, const T* values) const {
    const Index m = net_.stages[s].n_neurons;
    const T* const biases = values + stages_[s].offset;
    return {kernel_.sum_of_squares(stages_[s].count - m, biases + m), kernel_.sum_of_squares(m, biases)};
}

template <class T> void NanoEngine<T>::notes(std::vector<Notes>& found) const {
    found = notes_;
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const auto first = alive_.begin() + units(s);
        found[1 + s].dead = std::count(first, first + net_.stages[s].n_neurons, static_cast<unsigned char>(0));
    }
}

template <class T> void NanoEngine<T>::give(const NetworkArrays<T>& gradients, Worker) {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const T* const biases = gradient_ + stages_[s].offset;
        const StageArrays<T>& user = gradients.stages[s];
        if (user.biases.values) std::copy_n(biases, net_.stages[s].n_neurons, user.biases.values);
        if (user.weights.values) std::copy_n(biases + net_.stages[s].n_neurons, stages_[s].count - net_.stages[s].n_neurons, user.weights.values);
    }
    if (gradients.scale.values) std::copy_n(dscale_, net_.n_inputs(), gradients.scale.values);
}

template <class T> void NanoEngine<T>::take(const NetworkArrays<T>& gradients, bool, Worker) {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        T* const biases = gradient_ + stages_[s].offset;
        const StageArrays<T>& user = gradients.stages[s];
        if (user.biases.values) std::copy_n(user.biases.values, net_.stages[s].n_neurons, biases);
        if (user.weights.values) std::copy_n(user.weights.values, stages_[s].count - net_.stages[s].n_neurons, biases + net_.stages[s].n_neurons);
    }
    if (gradients.scale.values) std::copy_n(gradients.scale.values, net_.n_inputs(), dscale_);
    regularize_gradients(1);
}

template <class T> void NanoEngine<T>::update(const StepRules& rules, double penalty_factor, Index, Worker) {
    if (dscaled_) step_scale(rules.scale, penalty_factor);
    if (rules.same_for_all) return step(rules.weights(0), penalty_factor, 0, count_);
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        if (stage.biases.present && stage.biases.learns) step(rules.biases(s), penalty_factor, stages_[s].offset, stage.n_neurons);
        if (stage.weights.learns) step(rules.weights(s), penalty_factor, stages_[s].offset + stage.n_neurons, stages_[s].count - stage.n_neurons);
    }
}

}  // namespace

template <class T> std::unique_ptr<Engine<T>> make_nano_engine(const Network& network) { return std::make_unique<NanoEngine<T>>(network); }
template std::unique_ptr<Engine<float>> make_nano_engine(const Network&);
template std::unique_ptr<Engine<double>> make_nano_engine(const Network&);

}  // namespace chainrule::model

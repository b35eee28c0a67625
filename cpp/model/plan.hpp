// A training plan: the network's shapes, and an engine that carries out its steps.
//
// A stage is a dense layer with the activation and the dropout that follow it. An engine is a schedule of kernels
// over the stages; which one runs is a function of the shapes alone (`choose_engine`), so the bits are the same on
// every machine and for any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "runtime/team.hpp"

namespace chainrule::model {

struct Dropout {
    double keep = 1;  // share of elements kept; 1: no dropout
    std::uint64_t key = 0;
    std::uint64_t step = 0;  // training forwards done before this plan
};

struct Stage {
    Index n_inputs, n_neurons;
    Activation activation;
    Dropout dropout;
    double weight_l1, weight_l2, bias_l1, bias_l2;
    bool regularized() const { return weight_l1 != 0 || weight_l2 != 0 || bias_l1 != 0 || bias_l2 != 0; }
};

// Whether the product that gives the gradient of this stage's output can go on through the activation's derivative.
inline bool ends_in_derivative(const Stage& stage) {
    const bool elementwise = stage.activation == Activation::relu || stage.activation == Activation::tanh || stage.activation == Activation::sigmoid;
    return elementwise && stage.dropout.keep == 1;
}

struct Network {
    std::vector<Stage> stages;
    Dropout input_dropout;
    Loss loss;
    Metric metric;
    double precision;  // Metric::regression
    Index batch_size;
    bool labels;       // targets are class labels
    Rule rule;
    bool clips;        // gradients are scaled to a largest norm
};

enum class EngineKind { automatic, nano, panels };
EngineKind engine_kind(const std::string& name);  // throws std::invalid_argument
const char* engine_name(EngineKind kind);

// A pure function of the shapes: batch, widths, activations and element size.
EngineKind choose_engine(const Network& network, Index lanes);

// The parameters and optimizer arrays of a stage, row-major; null where the rule has none.
template <class T> struct StageArrays {
    T *weights, *biases, *weight_momentums, *bias_momentums, *weight_cache, *bias_cache;
};

// Samples of one step, still in the user's arrays.
struct Batch {
    Index rows;
    Index first;                 // place of the first sample, in `order` where there is one
    const std::int64_t* order;
    const void* inputs;          // row-major (n, d)
    bool inputs_double;
    const void* targets;         // row-major (n, m), or null
    bool targets_double;
    const std::int64_t* labels;  // (n), or null
    const double* weights;       // (n), or null
    bool training;               // dropout acts, gradients are computed
    bool same_as_before;         // the inputs and targets are those of the previous call
    std::uint64_t step;          // steps done by this plan

    // Which of the user's rows is sample r of the batch.
    Index place(Index r) const { return order ? static_cast<Index>(order[first + r]) : first + r; }
    double total_weight() const {
        double total = 0;
        for (Index r = 0; r < rows; ++r) total += weights[place(r)];
        return total;
    }
};

template <class T> class Engine {
  public:
    virtual ~Engine() = default;

    virtual void load(const std::vector<StageArrays<T>>& arrays) = 0;
    virtual void store(const std::vector<StageArrays<T>>& arrays) const = 0;

    // Forward, loss and, in training, backward. Called by every worker of a team; when all have come to the barrier
    // inside, sample_losses and hits are complete.
    virtual void pass(const Batch& batch, runtime::Worker worker, runtime::Barrier& barrier) = 0;

    // The optimizer's step from the gradients of the last pass. The caller keeps the team together afterwards.
    virtual void update(const UpdateRule& rule, double clip_norm, Index rows, runtime::Worker worker, runtime::Barrier& barrier) = 0;

    // Regularisation loss of the parameters as they are.
    virtual double penalty() const = 0;

    // Makes room for a team of up to `workers`; before the team starts, so that nothing in it can fail.
    virtual void reserve(int workers) = 0;

    virtual std::size_t bytes() const = 0;
    virtual bool uses_threads() const = 0;

    const T* sample_losses() const { return sample_losses_; }
    const T* hits() const { return hits_; }

  protected:
    T* sample_losses_ = nullptr;
    T* hits_ = nullptr;
};

template <class T> std::unique_ptr<Engine<T>> make_nano_engine(const Network& network);
template <class T> std::unique_ptr<Engine<T>> make_panels_engine(const Network& network);

// Flops of one training step: 6 b sum(d m) - 2 b d_0 m_0.
double step_flops(const Network& network);

inline bool uses_momentums(Rule rule) { return rule == Rule::momentum || rule == Rule::nesterov || rule == Rule::adam; }
inline bool uses_cache(Rule rule) { return rule == Rule::adagrad || rule == Rule::rmsprop || rule == Rule::adam; }

// The rule for a stage's weights or biases: with their regularisation; weight decay acts on weights only.
inline UpdateRule weight_rule(UpdateRule rule, const Stage& stage) {
    rule.l1 = stage.weight_l1;
    rule.l2 = stage.weight_l2;
    return rule;
}
inline UpdateRule bias_rule(UpdateRule rule, const Stage& stage) {
    rule.l1 = stage.bias_l1;
    rule.l2 = stage.bias_l2;
    rule.decay = 0;
    return rule;
}

// l1 sum |w| + l2 sum w^2 of `count` values.
template <class T> double penalty_of(const T* values, Index count, double l1, double l2) {
    double size = 0, squares = 0;
    for (Index i = 0; i < count; ++i) {
        const double value = static_cast<double>(values[i]);
        size += value < 0 ? -value : value;
        squares += value * value;
    }
    return l1 * size + l2 * squares;
}

}  // namespace chainrule::model

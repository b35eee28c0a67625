// A network as the plan sees it: stages of a dense layer with the activation and the dropout that follow it, in front of
// them perhaps a factor for each column, behind them a loss; and the rule that its parameters follow.
//
// The Python package describes it field by field (training/network.py); bindings/bind_plan.cpp reads that.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "runtime/dispatch.hpp"

namespace chainrule::model {

inline const Catalogue& catalogue() { return runtime::target().catalogue; }

struct Dropout {
    double keep = 1;  // share of elements kept; 1: no dropout
    bool drops() const { return keep < 1; }
};

// An array that learns, or stands still: how its steps differ from the rule's.
struct Parameter {
    bool present = true, learns = true;
    double l1 = 0, l2 = 0;
    double rate_factor = 1, decay_factor = 1, epsilon_factor = 1;
    bool regularized() const { return l1 != 0 || l2 != 0; }
};

struct Stage {
    Index n_inputs = 0, n_neurons = 0;
    Activation activation = Activation::identity;
    std::vector<double> activation_parameters;
    Dropout dropout;
    Parameter weights, biases;  // biases that are not present stay 0
    bool learns() const { return weights.learns || (biases.present && biases.learns); }
    const ActivationEntry& entry() const { return catalogue().activations[activation]; }
    // The activation's derivative can do without its output: only what the dropout makes of it is kept.
    bool drops_in_place() const { return dropout.drops() && entry().needs_sign; }
};

struct Network {
    std::vector<Stage> stages;
    Parameter scale{false};   // a factor for each input, in front of the first stage; without it not present
    Dropout input_dropout;
    Loss loss{};
    std::vector<double> loss_parameters;
    Metric metric = Metric::none;
    Index batch_size = 1;
    bool labels = false;      // targets are class labels
    Rule rule{};
    bool keeps_gradients = false;  // they stand whole before they are spent: clipped, added up or given away
    Index accumulate = 1;     // batches whose gradients make one step
    bool noted = false;       // some steps are looked at: how large gradients and steps are, which units are dead
    bool observed = false;    // all that a pass computes can be seen: activations and derivatives stand in no product's epilogue
    double loss_factor = 1;   // of the loss and its gradient
    // The objective is that of a step's batch: penalties are divided by the sum of its weights, and what an epoch reports is
    // the mean over its batches, by their samples, of loss and penalty before the step. Else penalties are added as they are.
    bool batch_objective = false;

    const LossEntry& loss_entry() const { return catalogue().losses[loss]; }
    const RuleEntry& rule_entry() const { return catalogue().rules[rule]; }
    Index n_inputs() const { return stages.front().n_inputs; }
    Index n_outputs() const { return stages.back().n_neurons; }
    Index n_targets() const { return loss_entry().one_target ? 1 : n_outputs(); }
    bool scales() const { return scale.present; }
    bool scale_learns() const { return scale.present && scale.learns; }

    // The loss includes the last activation: it takes that one's inputs and gives their gradient.
    bool joint(std::size_t s) const { return s + 1 == stages.size() && loss_entry().joins >= 0; }
    // The activation stands in the epilogue of the stage's product.
    bool activates_in_product(std::size_t s) const { return !observed && stages[s].entry().forward_in_tile && !joint(s); }
    // The derivative stands in that of the product above, which gives the gradient of the activation's output.
    bool derives_in_product(std::size_t s) const { return !observed && can_derive_in_product(s); }
    bool can_derive_in_product(std::size_t s) const {
        const Stage& stage = stages[s];
        return s + 1 < stages.size() && stage.entry().derivative_in_tile && !stage.entry().needs_inputs &&
               (!stage.dropout.drops() || stage.entry().needs_sign);
    }
    // Gradients go down to here; below nothing learns.
    std::size_t lowest() const {
        std::size_t s = 0;
        while (!scale_learns() && s < stages.size() && !stages[s].learns()) ++s;
        return s;
    }
    bool needs_dinputs(std::size_t s) const { return s > lowest() || (s == 0 && scale_learns()); }
    bool regularized() const {
        for (const Stage& stage : stages)
            if (stage.weights.regularized() || stage.biases.regularized()) return true;
        return scale.regularized();
    }
};

// Where a training stands, beside its arrays: how far each stream of masks is, and the steps that each parameter has seen.
struct Stream {
    std::uint64_t key = 0, step = 0;  // step: training forwards done
};
struct Counts {
    struct Steps {
        std::int64_t weights = 0, biases = 0;
    };
    std::vector<Stream> streams;  // of the dropout behind the inputs, then of each stage's
    std::vector<Steps> stages;
    std::int64_t scale = 0;
};

// Throws std::invalid_argument where sizes are not positive, overflow, or do not chain, or a parameter count is wrong.
void check(const Network& network);

// Flops of one training step: 6 b sum(d m) - 2 b d_0 m_0.
double step_flops(const Network& network);

// Its place in a list of the catalogue. Throws std::invalid_argument where the list has no such name.
template <class Part, class Entry> Part part_named(const Entries<Entry>& entries, const std::string& kind, const std::string& name) {
    std::string names;
    for (int i = 0; i < entries.count; ++i) {
        if (name == entries[i].name) return static_cast<Part>(i);
        names += (i ? ", " : "") + std::string(entries[i].name);
    }
    throw std::invalid_argument(kind + ": expected one of " + names + ", got '" + name + "'");
}

// l1 sum |w| + l2 sum w^2 of `count` values.
template <class T> double penalty_of(const T* values, Index count, const Parameter& parameter) {
    if (parameter.l1 == 0) return parameter.l2 == 0 ? 0 : parameter.l2 * runtime::kernels<T>().sum_of_squares(count, values);
    double size = 0, squares = 0;
    for (Index i = 0; i < count; ++i) {
        const double value = static_cast<double>(values[i]);
        size += value < 0 ? -value : value;
        squares += value * value;
    }
    return parameter.l1 * size + parameter.l2 * squares;
}

}  // namespace chainrule::model

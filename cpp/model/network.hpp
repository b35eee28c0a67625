// A network as the plan sees it: stages of a dense layer with the activation and the dropout that follow it, in front of
// them perhaps learned features of the columns, and a factor for each; behind them a loss; and the rule that its parameters
// follow.
//
// The Python package describes it field by field (training/network.py); bindings/bind_plan.cpp reads that.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "model/embedding.hpp"
#include "model/periodic.hpp"
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
    Parameter shares{false};    // of its activation, one for each neuron: output = (1 - share) product + share activated
    bool product_learns() const { return weights.learns || (biases.present && biases.learns); }
    bool learns() const { return product_learns() || (shares.present && shares.learns); }
    const ActivationEntry& entry() const { return catalogue().activations[activation]; }
    // The activation's derivative can do without its output: only what the dropout makes of it is kept.
    bool drops_in_place() const { return dropout.drops() && entry().needs_sign && !shares.present; }
    // The stage's product stands apart from its output.
    bool keeps_product() const { return entry().needs_inputs || shares.present; }
};

// Learned features in place of the samples' columns: periodic ones of the first of them (model/periodic.hpp), then rows of
// tables for the last ones, which hold codes (model/embedding.hpp). Either may be missing.
struct Features {
    Index n_columns = 0;  // of the samples
    Index n_periodic = 0, n_frequencies = 0, n_mixed = 0;
    std::vector<Index> sizes;  // of the tables
    Index width = 0;
    bool has_periodic() const { return n_periodic > 0; }
    bool has_tables() const { return !sizes.empty(); }
    bool any() const { return has_periodic() || has_tables(); }
    PeriodicShape periodic(Index samples) const { return {samples, n_periodic, n_frequencies, n_mixed, n_columns - n_periodic}; }
    EmbeddingShape tables(Index samples) const {
        const Index columns = has_periodic() ? periodic(samples).n_outputs() : n_columns;
        return {samples, columns - static_cast<Index>(sizes.size()), width, sizes};
    }
    Index n_outputs() const { return has_tables() ? tables(0).n_outputs() : has_periodic() ? periodic(0).n_outputs() : n_columns; }
    double flops(Index samples) const { return (has_periodic() ? periodic(samples).flops() : 0) + (has_tables() ? tables(samples).values() : 0); }
};

// Sizes of a parameter's array: (rows, columns), or with `deep` not 0 a third one.
struct Shape {
    Index rows, columns, deep = 0;
    Index count() const { return rows * columns * (deep ? deep : 1); }
};

struct Network {
    Features features;
    std::vector<Parameter> of_features;  // frequencies, phases, weights and biases of periodic features; tables
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
    Index n_inputs() const { return features.any() ? features.n_columns : n_features(); }  // of the samples
    Index n_features() const { return stages.front().n_inputs; }
    Index n_outputs() const { return stages.back().n_neurons; }
    Index n_targets() const { return loss_entry().one_target ? 1 : n_outputs(); }
    bool scales() const { return scale.present; }
    bool scale_learns() const { return scale.present && scale.learns; }
    bool features_learn() const {
        for (const Parameter& each : of_features)
            if (each.learns) return true;
        return false;
    }
    bool has_shares() const {
        for (const Stage& stage : stages)
            if (stage.shares.present) return true;
        return false;
    }

    // The loss includes the last activation: it takes that one's inputs and gives their gradient.
    bool joint(std::size_t s) const { return s + 1 == stages.size() && loss_entry().joins >= 0; }
    // The activation stands in the epilogue of the stage's product.
    bool activates_in_product(std::size_t s) const { return !observed && stages[s].entry().forward_in_tile && !stages[s].shares.present && !joint(s); }
    // The derivative stands in that of the product above, which gives the gradient of the activation's output.
    bool derives_in_product(std::size_t s) const { return !observed && can_derive_in_product(s); }
    bool can_derive_in_product(std::size_t s) const {
        const Stage& stage = stages[s];
        return s + 1 < stages.size() && stage.entry().derivative_in_tile && !stage.keeps_product() &&
               (!stage.dropout.drops() || stage.entry().needs_sign);
    }
    // Gradients go down to here; below nothing learns.
    std::size_t lowest() const {
        std::size_t s = 0;
        while (!below_stages_learns() && s < stages.size() && !stages[s].learns()) ++s;
        return s;
    }
    bool below_stages_learns() const { return scale_learns() || features_learn(); }
    bool needs_dinputs(std::size_t s) const { return s > lowest() || (s == 0 && below_stages_learns()); }
    bool regularized() const;
    // Of a parameter of the features.
    Shape shape_of_features(std::size_t i) const {
        if (features.has_tables() && i + 1 == of_features.size()) return {features.tables(0).n_levels(), features.width};
        const Index p = features.n_periodic, k = features.n_frequencies, m = features.n_mixed;
        return i < 2 ? Shape{p, k} : i == 2 ? Shape{p, k, m} : Shape{p, m};
    }
};

// Calls body(parameter, shape, what `each` has for it...) for every parameter that is present, in the order of the layers.
// `each` may be anything with the members features, scale and stages of weights, biases and shares.
template <class Body, class... Each> void for_each_parameter(const Network& network, const Body& body, Each&... each) {
    for (std::size_t i = 0; i < network.of_features.size(); ++i) body(network.of_features[i], network.shape_of_features(i), each.features[i]...);
    if (network.scale.present) body(network.scale, Shape{1, network.n_features()}, each.scale...);
    for (std::size_t s = 0; s < network.stages.size(); ++s) {
        const Stage& stage = network.stages[s];
        body(stage.weights, Shape{stage.n_inputs, stage.n_neurons}, each.stages[s].weights...);
        if (stage.biases.present) body(stage.biases, Shape{1, stage.n_neurons}, each.stages[s].biases...);
        if (stage.shares.present) body(stage.shares, Shape{1, stage.n_neurons}, each.stages[s].shares...);
    }
}

// Where a training stands, beside its arrays: how far each stream of masks is, and the steps that each parameter has seen.
struct Stream {
    std::uint64_t key = 0, step = 0;  // step: training forwards done
};
struct Counts {
    struct Steps {
        std::int64_t weights = 0, biases = 0, shares = 0;
    };
    std::vector<Stream> streams;  // of the dropout behind the inputs, then of each stage's
    std::vector<std::int64_t> features;
    std::int64_t scale = 0;
    std::vector<Steps> stages;
    explicit Counts(const Network& network) : streams(1 + network.stages.size()), features(network.of_features.size()), stages(network.stages.size()) {}
};

// Throws std::invalid_argument where sizes are not positive, overflow, or do not chain, or a parameter count is wrong.
void check(const Network& network);

// Flops of one training step: 6 b sum(d m) - 2 b d_0 m_0, and those of the features.
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

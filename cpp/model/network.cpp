#include "model/network.hpp"

#include <algorithm>

namespace chainrule::model {
namespace {

constexpr Index largest = Index(1) << 48;  // elements: what no memory holds, and no byte count overflows

void check_size(Index size, const std::string& where) {
    if (size < 1 || size > largest) throw std::invalid_argument(where + ": expected a size from 1 to 2^48, got " + std::to_string(size));
}
void check_product(Index a, Index b, const std::string& where) {
    if (a > largest / b) throw std::invalid_argument(where + ": expected at most 2^48 elements, got " + std::to_string(a) + " x " + std::to_string(b));
}
void check_count(std::size_t got, int expected, const std::string& where) {
    if (got != static_cast<std::size_t>(expected))
        throw std::invalid_argument(where + ": expected " + std::to_string(expected) + " parameters, got " + std::to_string(got));
}

// Columns and tables, and as many parameters as they have.
void check_features(const Network& network) {
    const Features& features = network.features;
    std::size_t parameters = 0;
    if (features.any()) check_size(features.n_columns, "features: columns");
    if (features.has_periodic()) {
        parameters += 4;
        check_size(features.n_frequencies, "features: n_frequencies");
        check_size(features.n_mixed, "features: n_mixed");
        if (features.n_periodic > features.n_columns) throw std::invalid_argument("features: expected at most as many periodic columns as there are, got more");
        check_product(features.n_periodic, features.n_frequencies, "features");
        check_product(features.n_periodic * features.n_frequencies, features.n_mixed + 1, "features");
    }
    if (features.has_tables()) {
        parameters += 1;
        check_size(features.width, "features: width");
        const Index plain = features.n_columns - features.n_periodic;
        if (static_cast<Index>(features.sizes.size()) > plain) throw std::invalid_argument("features: expected at most as many columns of codes as there are plain ones, got more");
        check_product(features.width, static_cast<Index>(features.sizes.size()), "features: width");
        Index levels = 0;
        for (const Index size : features.sizes) {
            check_size(size, "features: sizes");
            check_size(levels += size, "features: sizes");
        }
        check_product(levels, features.width, "features: tables");
    }
    check_count(network.of_features.size(), static_cast<int>(parameters), "features");
    if (!features.any()) return;
    check_product(network.batch_size + lanes<float>, features.n_columns + lanes<float>, "features: batch_size");
    if (network.n_features() != features.n_outputs())
        throw std::invalid_argument("stage 1: n_inputs: expected " + std::to_string(features.n_outputs()) + ", as there are features, got " + std::to_string(network.n_features()));
    if (network.input_dropout.drops()) throw std::invalid_argument("features: expected no dropout behind them");
}

}  // namespace

void check(const Network& network) {
    if (network.stages.empty()) throw std::invalid_argument("stages: expected at least one, got none");
    check_size(network.batch_size, "batch_size");
    check_size(network.accumulate, "accumulate");
    check_product(network.batch_size, network.accumulate, "accumulate");
    if (network.accumulate > 1 && !network.keeps_gradients) throw std::invalid_argument("accumulate: expected 1 where gradients are not kept");
    Index before = network.stages.front().n_inputs;
    for (std::size_t s = 0; s < network.stages.size(); ++s) {
        const Stage& stage = network.stages[s];
        const std::string where = "stage " + std::to_string(s + 1);
        check_size(stage.n_inputs, where + ": n_inputs");
        check_size(stage.n_neurons, where + ": n_neurons");
        if (stage.n_inputs != before)
            throw std::invalid_argument(where + ": n_inputs: expected " + std::to_string(before) + ", as the stage before has neurons, got " +
                                        std::to_string(stage.n_inputs));
        check_product(stage.n_inputs + 1, stage.n_neurons + lanes<float>, where);
        check_product(network.batch_size + lanes<float>, std::max(stage.n_inputs, stage.n_neurons) + lanes<float>, where + ": batch_size");
        check_count(stage.activation_parameters.size(), stage.entry().parameters.count, where + ": activation");
        if (stage.shares.present && (stage.entry().by_rows || stage.activation == Activation::identity))
            throw std::invalid_argument(where + ": shares: expected an activation that works element by element and is not linear, got " + stage.entry().name);
        before = stage.n_neurons;
    }
    check_features(network);
    if (network.observed && (network.features.any() || network.has_shares())) throw std::invalid_argument("observed: expected no features and no shares");
    if (network.noted && (network.features.any() || network.has_shares())) throw std::invalid_argument("noted: expected no features and no shares");
    const LossEntry& loss = network.loss_entry();
    check_count(network.loss_parameters.size(), loss.parameter_per_output ? static_cast<int>(network.n_outputs()) : loss.parameters.count, "loss");
    if (loss.joins >= 0 && static_cast<Activation>(loss.joins) != network.stages.back().activation)
        throw std::invalid_argument(std::string("loss: ") + loss.name + ": expected a last activation " + catalogue().activations[loss.joins].name + ", got " +
                                    network.stages.back().entry().name);
    if (network.stages.back().shares.present) throw std::invalid_argument("shares: expected none of the last stage's activation");
    if (network.labels && !loss.labels) throw std::invalid_argument(std::string("loss: ") + loss.name + ": expected targets, got labels");
}

bool Network::regularized() const {
    bool found = false;
    for_each_parameter(*this, [&](const Parameter& parameter, const Shape&) { found = found || parameter.regularized(); });
    return found;
}

double step_flops(const Network& network) {
    double flops = 3 * network.features.flops(network.batch_size);
    for (std::size_t s = 0; s < network.stages.size(); ++s)
        flops += (s > 0 ? 6.0 : 4.0) * static_cast<double>(network.batch_size) * static_cast<double>(network.stages[s].n_inputs) *
                 static_cast<double>(network.stages[s].n_neurons);
    return flops;
}

}  // namespace chainrule::model

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
        before = stage.n_neurons;
    }
    const LossEntry& loss = network.loss_entry();
    check_count(network.loss_parameters.size(), loss.parameter_per_output ? static_cast<int>(network.n_outputs()) : loss.parameters.count, "loss");
    if (loss.joins >= 0 && static_cast<Activation>(loss.joins) != network.stages.back().activation)
        throw std::invalid_argument(std::string("loss: ") + loss.name + ": expected a last activation " + catalogue().activations[loss.joins].name + ", got " +
                                    network.stages.back().entry().name);
    if (network.labels && !loss.labels) throw std::invalid_argument(std::string("loss: ") + loss.name + ": expected targets, got labels");
}

double step_flops(const Network& network) {
    double flops = 0;
    for (std::size_t s = 0; s < network.stages.size(); ++s)
        flops += (s > 0 ? 6.0 : 4.0) * static_cast<double>(network.batch_size) * static_cast<double>(network.stages[s].n_inputs) *
                 static_cast<double>(network.stages[s].n_neurons);
    return flops;
}

}  // namespace chainrule::model

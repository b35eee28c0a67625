#include "model/engine.hpp"

#include <stdexcept>

namespace chainrule::model {
namespace {

Index groups(Index count, Index size) { return (count + size - 1) / size; }

// Vector operations of a step in panels: samples one by one, neurons in lanes.
Index panels_cost(const Network& network, Index lanes) {
    Index cost = 0;
    for (std::size_t s = 0; s < network.stages.size(); ++s) {
        const Stage& stage = network.stages[s];
        const Index outputs = groups(stage.n_neurons, lanes), inputs = groups(stage.n_inputs, lanes);
        cost += network.batch_size * ((2 * stage.n_inputs + 1) * outputs + stage.entry().cost * outputs);
        if (s > 0) cost += network.batch_size * stage.n_neurons * inputs;
    }
    return cost;
}

// The same with samples in lanes; each gradient ends with a sum over the lanes.
Index nano_cost(const Network& network, Index lanes) {
    constexpr Index lane_sum = 3;
    const Index vectors = groups(network.batch_size, lanes);
    Index cost = 0;
    for (std::size_t s = 0; s < network.stages.size(); ++s) {
        const Stage& stage = network.stages[s];
        const Index parameters = (stage.n_inputs + 1) * stage.n_neurons;
        cost += parameters * (2 * vectors + lane_sum) + stage.entry().cost * stage.n_neurons * vectors;
        if (s > 0) cost += parameters * vectors;
    }
    return cost;
}

// It knows no features and no shares.
bool fits_nano(const Network& network) { return !network.features.any() && !network.has_shares(); }

// Above this many vector operations (about 20 microseconds) a step is worth two threads; nano has one.
constexpr Index largest_nano_cost = 65536;

}  // namespace

EngineKind engine_kind(const std::string& name) {
    for (const EngineKind kind : {EngineKind::automatic, EngineKind::nano, EngineKind::panels})
        if (name == engine_name(kind)) return kind;
    throw std::invalid_argument("CHAINRULE_ENGINE: expected one of automatic, nano, panels, got '" + name + "'");
}

const char* engine_name(EngineKind kind) {
    switch (kind) {
        case EngineKind::nano: return "nano";
        case EngineKind::panels: return "panels";
        default: return "automatic";
    }
}

EngineKind choose_engine(const Network& network, Index lanes) {
    if (!fits_nano(network)) return EngineKind::panels;
    const Index nano = nano_cost(network, lanes);
    // panels pays a tenth more than its products: it moves samples in and out of panels (measured on `xs`, 33-65-17)
    return nano <= largest_nano_cost && 10 * nano <= 11 * panels_cost(network, lanes) ? EngineKind::nano : EngineKind::panels;
}

EngineKind engine_of(const Network& network, EngineKind wanted, Index lanes) {
    return wanted == EngineKind::automatic || (wanted == EngineKind::nano && !fits_nano(network)) ? choose_engine(network, lanes) : wanted;
}

}  // namespace chainrule::model

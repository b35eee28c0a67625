// What happens to the values of a net on their way forward: steps in a row, each a product with a layer's weights, a factor for
// each column, or neither; then perhaps an activation; or a share of an activation for each column. Layers that pass their inputs
// on are no step; those that work on rows in front of a net stand in front_steps.hpp.
#pragma once

#include <vector>

#include "kernels/kernels.hpp"
#include "model/network.hpp"

namespace chainrule::model {

enum class Map { none, factors, product, shares };

template <class T> struct ForwardStep {
    Map map = Map::none;
    Index n_inputs = 0, n_outputs = 0;
    const T* weights = nullptr;  // of a product (n_inputs, n_outputs), row-major; factors or shares (n_outputs)
    const T* biases = nullptr;   // (n_outputs); null: 0
    Activation activation = Activation::identity;
    double parameters[most_names] = {};

    const ActivationEntry& entry() const { return catalogue().activations[activation]; }
    bool has_activation() const { return activation != Activation::identity; }
    // Where the activation is computed: in the product's epilogue, or behind it, by rows or element by element.
    bool in_tile() const { return map == Map::product && entry().forward_in_tile; }
    bool by_rows() const { return has_activation() && entry().by_rows; }
    bool by_elements() const { return has_activation() && !entry().by_rows && !in_tile(); }

    // Operations that one row takes.
    double flops() const {
        const double each = (map == Map::product ? 2 * static_cast<double>(n_inputs) : 1) + static_cast<double>(entry().cost);
        return each * static_cast<double>(n_outputs);
    }
};
template <class T> using ForwardSteps = std::vector<ForwardStep<T>>;

template <class T> double flops_of(const ForwardSteps<T>& steps) {
    double flops = 0;
    for (const ForwardStep<T>& step : steps) flops += step.flops();
    return flops;
}

template <class T> void set_activation(Product<T>& job, const ForwardStep<T>& step) {
    if (!step.in_tile()) return;
    job.activation = step.activation;
    job.parameters = step.parameters;
}

}  // namespace chainrule::model

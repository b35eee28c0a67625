#include "bindings/plan_arguments.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "bindings/targets.hpp"

namespace chainrule::bindings {
namespace {

model::Dropout dropout_of(const py::object& object) {
    if (object.is_none()) return {};
    Fields fields(object, 1, "dropout");
    model::Dropout dropout;
    dropout.keep = fields.next_as<double>();
    if (!(dropout.keep > 0 && dropout.keep <= 1)) throw std::invalid_argument("dropout: keep: expected a number in (0, 1]");
    return dropout;
}

model::Parameter parameter_of(const py::object& object) {
    model::Parameter parameter;
    parameter.present = !object.is_none();
    if (!parameter.present) {
        parameter.learns = false;
        return parameter;
    }
    Fields fields(object, 6, "parameter");
    parameter.learns = fields.next_as<bool>();
    parameter.l1 = fields.next_as<double>();
    parameter.l2 = fields.next_as<double>();
    parameter.rate_factor = fields.next_as<double>();
    parameter.decay_factor = fields.next_as<double>();
    parameter.epsilon_factor = fields.next_as<double>();
    return parameter;
}

model::Stage stage_of(const py::handle& object) {
    Fields fields(object, 8, "stage");
    model::Stage stage;
    stage.n_inputs = fields.next_as<Index>();
    stage.n_neurons = fields.next_as<Index>();
    stage.activation = model::part_named<Activation>(model::catalogue().activations, "activation", fields.next_as<std::string>());
    stage.activation_parameters = fields.next_as<std::vector<double>>();
    stage.dropout = dropout_of(fields.next());
    stage.weights = parameter_of(fields.next());
    stage.biases = parameter_of(fields.next());
    stage.shares = parameter_of(fields.next());
    return stage;
}

// (columns, periodic ones, frequencies, mixtures, sizes of the tables, their width, a parameter for each array), or None.
void read_features(const py::object& object, model::Network& network) {
    if (object.is_none()) return;
    Fields fields(object, 7, "features");
    network.features.n_columns = fields.next_as<Index>();
    network.features.n_periodic = fields.next_as<Index>();
    network.features.n_frequencies = fields.next_as<Index>();
    network.features.n_mixed = fields.next_as<Index>();
    network.features.sizes = fields.next_as<std::vector<Index>>();
    network.features.width = fields.next_as<Index>();
    for (const py::handle each : fields.next_as<py::tuple>()) network.of_features.push_back(parameter_of(py::reinterpret_borrow<py::object>(each)));
    for (const model::Parameter& each : network.of_features)
        if (!each.present) throw std::invalid_argument("features: expected all parameters, got one that is not present");
}

// Any C-contiguous matrix of floats or whole numbers; the engine converts while it gathers.
Number number_matrix(PyObject* object, const char* name, Index rows, Index columns, bool may_be_flat, const void** data) {
    if (!PyArray_CheckExact(object)) throw_conversion(name);
    PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(object);
    Number number;
    if (!PyArray_ISCARRAY_RO(array) || !number_of_array(array, number)) throw_conversion(name);
    const bool flat = may_be_flat && columns == 1 && PyArray_NDIM(array) == 1 && PyArray_DIM(array, 0) == rows;
    if (!flat && (PyArray_NDIM(array) != 2 || PyArray_DIM(array, 0) != rows || PyArray_DIM(array, 1) != columns)) throw_shape(name, shape_text({rows, columns}), array);
    *data = PyArray_DATA(array);
    return number;
}

void check_targets(const model::Samples& samples, const model::Network& network, const char* name) {
    const Domain domain = network.loss_entry().domain;
    if (samples.target_numbers == Number::float32) check_domain(static_cast<const float*>(samples.targets), samples.count, network.n_targets(), domain, name);
    if (samples.target_numbers == Number::float64) check_domain(static_cast<const double*>(samples.targets), samples.count, network.n_targets(), domain, name);
}

// A number of an array of any kind.
double number_at(const void* data, Number number, Index place) {
    const auto as = [&](auto kind) { return static_cast<double>(static_cast<const decltype(kind)*>(data)[place]); };
    switch (number) {
        case Number::float32: return as(float());
        case Number::float64: return as(double());
        case Number::uint8: return as(std::uint8_t());
        case Number::int8: return as(std::int8_t());
        case Number::uint16: return as(std::uint16_t());
        case Number::int16: return as(std::int16_t());
        case Number::uint32: return as(std::uint32_t());
        case Number::int32: return as(std::int32_t());
        case Number::uint64: return as(std::uint64_t());
        default: return as(std::int64_t());
    }
}

// What stands in the columns of codes names a row of its table.
void check_codes(const model::Samples& samples, const model::Features& features, const char* name) {
    const Index d = features.n_columns, first = d - static_cast<Index>(features.sizes.size());
    for (Index r = 0; r < samples.count; ++r)
        for (std::size_t k = 0; k < features.sizes.size(); ++k) {
            const Index column = first + static_cast<Index>(k);
            const double value = number_at(samples.inputs, samples.input_numbers, r * d + column);
            if (value >= 0 && value < static_cast<double>(features.sizes[k]) && value == std::floor(value)) continue;
            throw std::invalid_argument(std::string(name) + ": expected a code from 0 to " + std::to_string(features.sizes[k] - 1) + " in column " + std::to_string(column) + ", got " +
                                        py::repr(py::float_(value)).cast<std::string>() + " in row " + std::to_string(r));
        }
}

}  // namespace

Description description_of(const py::object& object) {
    Fields fields(object, 18, "network");
    Description result;
    model::Network& network = result.network;
    const std::string dtype = fields.next_as<std::string>();
    if (dtype != "float32" && dtype != "float64") throw std::invalid_argument("dtype: expected 'float32' or 'float64', got '" + dtype + "'");
    result.is_double = dtype == "float64";
    read_features(fields.next(), network);
    for (const py::handle stage : fields.next_as<py::tuple>()) network.stages.push_back(stage_of(stage));
    network.scale = parameter_of(fields.next());
    network.input_dropout = dropout_of(fields.next());
    network.loss = model::part_named<Loss>(model::catalogue().losses, "loss", fields.next_as<std::string>());
    network.loss_parameters = fields.next_as<std::vector<double>>();
    network.metric = model::part_named<Metric>(model::catalogue().metrics, "metric", fields.next_as<std::string>());
    network.batch_size = fields.next_as<Index>();
    network.labels = fields.next_as<bool>();
    network.rule = model::part_named<Rule>(model::catalogue().rules, "rule", fields.next_as<std::string>());
    network.keeps_gradients = fields.next_as<bool>();
    network.accumulate = fields.next_as<Index>();
    network.loss_factor = fields.next_as<double>();
    network.batch_objective = fields.next_as<bool>();
    result.engine = model::engine_kind(fields.next_as<std::string>());
    network.noted = fields.next_as<bool>();
    network.observed = fields.next_as<bool>();
    model::check(network);
    return result;
}

model::Counts counts_of(const py::object& object, const model::Network& network) {
    Fields fields(object, 2, "counts");
    model::Counts counts(network);
    Fields streams(fields.next(), counts.streams.size(), "streams");
    for (model::Stream& each : counts.streams) {
        Fields stream(streams.next(), 2, "stream");
        each.key = stream.next_as<std::uint64_t>();
        each.step = stream.next_as<std::uint64_t>();
    }
    std::size_t count = 0;
    model::for_each_parameter(network, [&](const model::Parameter&, const model::Shape&) { ++count; });
    Fields steps(fields.next(), count, "steps");
    model::for_each_parameter(network, [&](const model::Parameter&, const model::Shape&, std::int64_t& place) { place = steps.next_as<std::int64_t>(); }, counts);
    return counts;
}

std::vector<model::Monitor> monitors_of(const py::object& object) {
    static const char* const values[] = {"loss", "data_loss", "regularization_loss", "accuracy", "validation_loss", "validation_accuracy"};
    std::vector<model::Monitor> monitors;
    for (const py::handle each : object.cast<py::tuple>()) {
        Fields fields(each, 9, "monitor");
        model::Monitor monitor;
        const std::string value = fields.next_as<std::string>();
        const auto* const found = std::find(std::begin(values), std::end(values), value);
        if (found == std::end(values)) throw std::invalid_argument("monitor: expected a column of losses or accuracies, got '" + value + "'");
        monitor.value = static_cast<model::Monitored>(found - values);
        monitor.upwards = fields.next_as<bool>();
        monitor.ties = fields.next_as<bool>();
        monitor.keeps = fields.next_as<bool>();
        monitor.min_delta = fields.next_as<double>();
        monitor.patience = fields.next_as<std::int64_t>();
        monitor.factor = fields.next_as<double>();
        monitor.least = fields.next_as<double>();
        monitor.cooldown = fields.next_as<std::int64_t>();
        monitors.push_back(monitor);
    }
    if (std::count_if(monitors.begin(), monitors.end(), [](const model::Monitor& each) { return each.keeps; }) > 1)
        throw std::invalid_argument("monitors: expected at most one that keeps parameters");
    return monitors;
}

model::Samples samples_of(PyObject* X, PyObject* y, PyObject* weights, const model::Network& network) {
    model::Samples samples;
    if (!PyArray_CheckExact(X) || PyArray_NDIM(reinterpret_cast<PyArrayObject*>(X)) < 1) throw_conversion("X");
    samples.count = PyArray_DIM(reinterpret_cast<PyArrayObject*>(X), 0);
    samples.input_numbers = number_matrix(X, "X", samples.count, network.n_inputs(), false, &samples.inputs);
    if (network.features.has_tables()) check_codes(samples, network.features, "X");
    if (network.labels) {
        samples.labels = check_labels(y, "y", samples.count, network.n_outputs());
    } else {
        samples.target_numbers = number_matrix(y, "y", samples.count, network.n_targets(), true, &samples.targets);
        if (!is_float(samples.target_numbers)) throw_conversion("y");
        check_targets(samples, network, "y");
    }
    if (weights != Py_None) {
        const Array<const double> array = any_array<double>(weights, "sample_weight");
        if (PyArray_NDIM(array.object) != 1 || array.dim(0) != samples.count) throw_shape("sample_weight", shape_text({samples.count}), array.object);
        samples.weights = array.data;
    }
    return samples;
}

}  // namespace chainrule::bindings

// Plan: the compiled plan behind Model.train. Python owns every array and hands it over for the length of a call.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "bindings/bindings.hpp"
#include "bindings/py_plan.hpp"
#include "bindings/targets.hpp"
#include "model/finite.hpp"

namespace chainrule::bindings {
namespace {

using model::NetworkArrays;
using model::ParameterArrays;

constexpr std::int64_t most_iterations = std::int64_t(1) << 62;  // and a training adds less than as many again

// (X, y, sample_weight or None), or None.
model::Samples samples_of(const py::object& object, const model::Network& network) {
    if (object.is_none()) return {};
    Fields fields(object, 3, "samples");
    const py::object X = fields.next(), y = fields.next(), weights = fields.next();
    return bindings::samples_of(X.ptr(), y.ptr(), weights.ptr(), network);
}

template <class T> T* array_of(const py::handle& object, const char* name, Index rows, Index columns) {
    const Array<T> array = writable<T>(object.ptr(), name);
    if (PyArray_NDIM(array.object) != 2 || array.rows() != rows || array.columns() != columns) throw_shape(name, shape_text({rows, columns}), array.object);
    return array.data;
}

template <class T> T* array_of(const py::handle& object, const char* name, const model::Shape& shape) {
    if (!shape.deep) return array_of<T>(object, name, shape.rows, shape.columns);
    const Array<T> array = writable<T>(object.ptr(), name);
    if (PyArray_NDIM(array.object) != 3 || array.dim(0) != shape.rows || array.dim(1) != shape.columns || array.dim(2) != shape.deep)
        throw_shape(name, shape_text({shape.rows, shape.columns, shape.deep}), array.object);
    return array.data;
}

// (values, *states of the rule); a parameter that does not learn has no states.
template <class T> ParameterArrays<T> parameter_arrays(const py::object& object, const model::Network& network, const model::Parameter& parameter, const model::Shape& shape, bool with_states) {
    ParameterArrays<T> arrays;
    const Names& states = network.rule_entry().states;
    const int count = with_states && parameter.learns ? states.count : 0;
    Fields fields(object, static_cast<std::size_t>(1 + count), "arrays");
    arrays.values = array_of<T>(fields.next(), "parameter", shape);
    for (int i = 0; i < count; ++i) arrays.states[i] = array_of<T>(fields.next(), states.name[i], shape);
    return arrays;
}

// A tuple for each parameter that is present, in the order of the layers.
template <class T> NetworkArrays<T> arrays_of(const py::tuple& given, const model::Network& network, bool with_states = true) {
    NetworkArrays<T> arrays(network);
    std::size_t count = 0;
    model::for_each_parameter(network, [&](const model::Parameter&, const model::Shape&) { ++count; });
    Fields each(given, count, "arrays");
    model::for_each_parameter(
        network, [&](const model::Parameter& parameter, const model::Shape& shape, ParameterArrays<T>& place) { place = parameter_arrays<T>(each.next(), network, parameter, shape, with_states); },
        arrays);
    return arrays;
}

// A row of factors of the coming steps, or None.
const double* factors_of(const py::object& object, const char* name, Index columns, Index& steps) {
    if (object.is_none()) return nullptr;
    const Array<const double> array = any_array<double>(object.ptr(), name);
    const bool fits = columns == 1 ? PyArray_NDIM(array.object) == 1 : PyArray_NDIM(array.object) == 2 && array.columns() == columns;
    if (!fits || (steps >= 0 && array.dim(0) != steps)) throw_shape(name, "as many factors as the others", array.object);
    steps = array.dim(0);
    return array.data;
}

// The places of the gradients in one flat array: those of the parameters that learn, in the order of the layers.
template <class T> NetworkArrays<T> places_in(T* flat, const model::Network& network, Index& count) {
    count = 0;
    NetworkArrays<T> arrays(network);
    model::for_each_parameter(
        network,
        [&](const model::Parameter& parameter, const model::Shape& shape, ParameterArrays<T>& place) {
            if (!parameter.learns) return;
            if (flat) place.values = flat + count;
            count += shape.count();
        },
        arrays);
    return arrays;
}

}  // namespace

PyPlan::PyPlan(const py::object& network) : description_(description_of(network)) {
    const auto make = [&](auto number) -> std::unique_ptr<model::PlanBase> {
        return std::make_unique<model::Plan<decltype(number)>>(description_.network, description_.engine);
    };
    plan_ = description_.is_double ? make(double()) : make(float());
}

model::PlanBase& PyPlan::plan() const {
    if (runs()) throw std::runtime_error("Plan: expected one that is not in use, got one that another thread runs");
    return *plan_;
}

void PyPlan::require_ready(const char* call) const {
    if (!loaded_) throw std::logic_error(std::string(call) + ": expected begin and load before it");
    require_begun(call);
}

void PyPlan::require_begun(const char* call) const {
    if (!has_begun()) throw std::logic_error(std::string(call) + ": expected begin and load before it");
    if (places_of_samples() != held_) throw std::invalid_argument("samples: expected the memory that was there at the beginning, got an array that was resized");
}

std::vector<PyPlan::Place> PyPlan::places_of_samples() const {
    std::vector<Place> places;
    for (const py::object& samples : {samples_, validation_}) {
        if (samples.is_none()) continue;
        for (const py::handle each : py::reinterpret_borrow<py::tuple>(samples)) {
            if (each.is_none()) continue;
            PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(each.ptr());
            places.push_back({PyArray_DATA(array), PyArray_NBYTES(array)});
        }
    }
    return places;
}

void PyPlan::begin(const py::object& samples, const py::object& validation, std::int64_t epochs, bool stop_on_nonfinite, bool drops_last, double precision,
                   const py::object& monitors, std::int64_t notes_every, std::int64_t steps_before, bool in_parts) {
    model::PlanBase& plan = this->plan();
    count_ = 0;
    loaded_ = scheduled_ = false;
    model::Work work;
    work.samples = samples_of(samples, description_.network);
    work.validation = samples_of(validation, description_.network);
    if (epochs > most_iterations) throw std::invalid_argument("epochs: expected at most 2^62, got " + std::to_string(epochs));
    work.epochs = epochs;
    work.nonfinite = stop_on_nonfinite ? model::Nonfinite::stop : model::Nonfinite::ignore;
    work.drops_last = drops_last;
    work.in_parts = in_parts;
    work.precision = precision;
    work.notes_every = notes_every;
    work.steps_before = steps_before;
    work.monitors = monitors_of(monitors);
    if (work.samples.count < (drops_last ? description_.network.batch_size : 1)) throw std::invalid_argument("samples: expected at least one batch");
    plan.begin(work);
    samples_ = samples;
    validation_ = validation;
    order_ = py::none();
    held_ = places_of_samples();
    count_ = work.samples.count;
}

void PyPlan::next_samples(const py::object& samples, bool last) {
    model::PlanBase& plan = this->plan();
    require_begun("next_samples");
    const model::Samples found = samples_of(samples, description_.network);
    plan.next_samples(found, last);
    samples_ = samples;
    order_ = py::none();
    held_ = places_of_samples();
    count_ = found.count;
}

bool PyPlan::look_at_samples(bool finite) {
    plan();
    require_begun("look_at_samples");
    const model::Network& network = description_.network;
    bool all = true;
    for (const py::object& samples : {samples_, validation_}) {
        if (samples.is(samples_) && plan_->in_parts()) continue;  // others come
        const model::Samples found = samples_of(samples, network);
        all = all && (!finite || (model::all_within(found.inputs, found.input_numbers, found.count * network.n_inputs(), description_.is_double) &&
                                  (found.labels || model::all_within(found.targets, found.target_numbers, found.count * network.n_targets(), description_.is_double))));
        const std::string name = samples.is(samples_) ? "sample_weight" : "validation weights";
        double total = 0;
        for (Index i = 0; found.weights && i < found.count; ++i) {
            if (!(found.weights[i] >= 0)) throw std::invalid_argument(name + ": expected values of at least 0, got another one at index " + std::to_string(i));
            total += found.weights[i];
        }
        if (found.weights && !(total > 0 && std::isfinite(total))) throw std::invalid_argument(name + ": expected a finite sum above 0, got " + std::to_string(total));
    }
    return all;
}

void PyPlan::end() {
    plan().begin({});
    plan_->stop();
    count_ = 0;
    places_ = {};
    held_ = {};
    samples_ = validation_ = order_ = py::none();
}

template <class T> NetworkArrays<T> PyPlan::flat_places(const py::object& flat) const {
    Index count;
    places_in<T>(nullptr, description_.network, count);
    const Array<T> array = writable<T>(flat.ptr(), "flat");
    if (PyArray_NDIM(array.object) != 1 || array.size() != count) throw_shape("flat", shape_text({count}), array.object);
    return places_in<T>(array.data, description_.network, count);
}

template <class T> double PyPlan::gradients_as(const py::object& flat, const double* dropped) {
    const NetworkArrays<T> places = flat_places<T>(flat);
    model::Plan<T>& plan = plan_of<T>();
    const Running running(*this);
    const Unlocked unlocked(model::step_flops(description_.network));
    return plan.gradients(places, dropped);
}

double PyPlan::gradients(const py::object& flat, const py::object& dropped) {
    if (!description_.network.keeps_gradients) throw std::logic_error("gradients: expected a network that keeps them");
    if (count_ < 1 || count_ > description_.network.batch_size) throw std::logic_error("gradients: expected samples of one batch");
    Index factors = static_cast<Index>(description_.network.stages.size() + 1);
    require_ready("gradients");
    const double* const shares = factors_of(dropped, "dropped", 1, factors);
    return description_.is_double ? gradients_as<double>(flat, shares) : gradients_as<float>(flat, shares);
}

py::tuple PyPlan::part_gradients(const py::object& flat, const py::object& object, const py::object& order, const py::object& dropped) {
    if (!description_.network.keeps_gradients || description_.network.accumulate > 1) throw std::logic_error("part_gradients: expected a network that keeps the gradients of one batch");
    require_ready("part_gradients");
    Fields fields(object, 8, "part");
    model::Part part;
    part.first = fields.next_as<Index>();
    part.rows = fields.next_as<Index>();
    part.position = fields.next_as<Index>();
    part.step_rows = fields.next_as<Index>();
    part.step_weight = fields.next_as<double>();
    part.forwards = fields.next_as<std::uint64_t>();
    part.next_first = fields.next_as<Index>();
    part.next_rows = fields.next_as<Index>();
    const auto lies_within = [this](Index first, Index rows) { return first >= 0 && rows >= 0 && first <= count_ - rows; };
    if (part.rows < 1 || part.rows > description_.network.batch_size || !lies_within(part.first, part.rows) || !lies_within(part.next_first, part.next_rows) ||
        part.position < 0 || part.step_rows < 1 || !(part.step_weight > 0))
        throw std::invalid_argument("part: expected rows among the samples, at most a batch, in a step that weighs something");
    Index factors = static_cast<Index>(description_.network.stages.size() + 1);
    const double* const shares = factors_of(dropped, "dropped", 1, factors);
    const std::int64_t* const places = places_of(order);
    const auto sums = [&](auto number) {
        using T = decltype(number);
        const NetworkArrays<T> gradients = flat_places<T>(flat);
        model::Plan<T>& plan = plan_of<T>();
        const Running running(*this);
        const Unlocked unlocked(model::step_flops(description_.network));
        return plan.part_gradients(part, places, shares, gradients);
    };
    const model::Sums found = description_.is_double ? sums(double()) : sums(float());
    return py::make_tuple(found.loss, found.weight, found.hits, found.rows);
}

void PyPlan::spend(const py::object& flat, const py::object& factors, std::uint64_t forwards) {
    if (!description_.network.keeps_gradients) throw std::logic_error("spend: expected a network that keeps gradients");
    require_ready("spend");
    if (!scheduled_) throw std::logic_error("spend: expected set_schedule before it");
    const model::Factors found = factors_from(factors);
    if (found.any() && found.steps < 1) throw std::invalid_argument("factors: expected those of a step");
    const auto spend = [&](auto number) {
        using T = decltype(number);
        const NetworkArrays<T> gradients = flat_places<T>(flat);
        model::Plan<T>& plan = plan_of<T>();
        const Running running(*this);
        const Unlocked unlocked;
        plan.spend(gradients, found, forwards);
    };
    if (description_.is_double) spend(double());
    else spend(float());
}

double PyPlan::penalty() const {
    if (!loaded_) throw std::logic_error("penalty: expected load before it");
    return description_.is_double ? plan_of<double>().penalty() : plan_of<float>().penalty();
}

// Where an array of the whole batch is written, or None.
template <class T> T* seen_array(const py::object& object, const char* name, Index rows, Index columns) {
    return object.is_none() ? nullptr : array_of<T>(object, name, rows, columns);
}

template <class T> double PyPlan::observe_as(const py::object& flat, const py::object& dropped, const py::object& object) {
    const model::Network& network = description_.network;
    Fields fields(object, 3, "seen");
    model::Seen<T> seen;
    seen.inputs = seen_array<T>(fields.next(), "inputs", count_, network.n_features());
    seen.dinputs = seen_array<T>(fields.next(), "dinputs", count_, network.n_features());
    const py::tuple stages = fields.next_as<py::tuple>();
    if (py::len(stages) != network.stages.size()) throw std::invalid_argument("seen: expected arrays of each stage");
    for (std::size_t s = 0; s < network.stages.size(); ++s) {
        Fields arrays(stages[s], 6, "stage");
        model::StageSeen<T> stage;
        for (T** const place : {&stage.product, &stage.output, &stage.dropped, &stage.dproduct, &stage.doutput, &stage.ddropped})
            *place = seen_array<T>(arrays.next(), "values", count_, network.stages[s].n_neurons);
        seen.stages.push_back(stage);
    }
    model::Plan<T>& plan = plan_of<T>();
    plan.watch(&seen);
    struct End {
        model::Plan<T>& plan;
        ~End() { plan.watch(nullptr); }
    } end{plan};
    return gradients(flat, dropped);
}

double PyPlan::observe(const py::object& flat, const py::object& dropped, const py::object& seen) {
    if (!description_.network.observed) throw std::logic_error("observe: expected a network that can be observed");
    return description_.is_double ? observe_as<double>(flat, dropped, seen) : observe_as<float>(flat, dropped, seen);
}

py::tuple PyPlan::take_notes() {
    const model::Noted& noted = plan().noted();
    const Index count = static_cast<Index>(noted.steps.size()), parts = static_cast<Index>(1 + description_.network.stages.size());
    NewArray<double> steps({count});
    NewArray<double> values({count, parts, 7});
    std::copy(noted.steps.begin(), noted.steps.end(), steps.data());
    double* place = values.data();
    for (const model::Notes& each : noted.rows)
        for (const double value : {each.gradient.weights, each.gradient.biases, each.step.weights, each.step.biases, each.parameters.weights,
                                   each.parameters.biases, static_cast<double>(each.dead)})
            *place++ = value;
    plan_->forget_noted();
    return py::make_tuple(py::reinterpret_steal<py::object>(steps.release()), py::reinterpret_steal<py::object>(values.release()));
}

const std::int64_t* PyPlan::places_of(const py::object& order) {
    if (order.is_none()) return nullptr;
    if (order.is(order_)) return places_.data();
    PyArrayObject* const array = check_int64(order.ptr(), "order");
    if (PyArray_NDIM(array) != 1 || PyArray_DIM(array, 0) != count_) throw_shape("order", shape_text({count_}), array);
    const auto* const first = static_cast<const std::int64_t*>(PyArray_DATA(array));
    order_ = py::none();
    places_.assign(first, first + count_);
    for (const std::int64_t place : places_)
        if (place < 0 || place >= count_) throw std::invalid_argument("order: expected places of samples");
    order_ = order;
    return places_.data();
}

model::Factors PyPlan::factors_from(const py::object& factors) const {
    model::Factors found;
    if (factors.is_none()) return found;
    Fields fields(factors, 3, "factors");
    Index steps = -1;
    found.rate = factors_of(fields.next(), "rate", 1, steps);
    found.weight_decay = factors_of(fields.next(), "weight_decay", 1, steps);
    found.dropped = factors_of(fields.next(), "dropped", static_cast<Index>(description_.network.stages.size() + 1), steps);
    found.steps = steps < 0 ? 0 : steps;
    return found;
}

std::int64_t PyPlan::run(std::int64_t max_steps, double seconds, const py::object& order, const py::object& factors) {
    model::PlanBase& plan = this->plan();
    require_ready("run");
    if (!scheduled_) throw std::logic_error("run: expected set_schedule before it");
    if (std::isnan(seconds)) throw std::invalid_argument("seconds: expected a number, got nan");
    const std::int64_t* const places = places_of(order);
    const model::Factors found = factors_from(factors);
    const Running running(*this);
    const Unlocked unlocked;
    return plan.run(max_steps, seconds, places, found);
}

void PyPlan::load(const py::tuple& arrays) {
    if (description_.is_double) plan_of<double>().load(arrays_of<double>(arrays, description_.network));
    else plan_of<float>().load(arrays_of<float>(arrays, description_.network));
    loaded_ = true;
}
void PyPlan::store(const py::tuple& arrays) const {
    if (!loaded_) throw std::logic_error("store: expected load before it");
    if (description_.is_double) plan_of<double>().store(arrays_of<double>(arrays, description_.network));
    else plan_of<float>().store(arrays_of<float>(arrays, description_.network));
}

void PyPlan::store_best(const py::tuple& arrays) {
    const auto& found = plan().monitors();
    if (std::none_of(found.begin(), found.end(), [](const model::Monitor& each) { return each.keeps && each.best_epoch > 0; }))
        throw std::logic_error("store_best: expected an epoch that was kept");
    if (description_.is_double) plan_of<double>().store_best(arrays_of<double>(arrays, description_.network, false));
    else plan_of<float>().store_best(arrays_of<float>(arrays, description_.network, false));
}

py::tuple PyPlan::monitors() const {
    py::list found;
    for (const model::Monitor& each : plan().monitors()) found.append(py::make_tuple(each.best_epoch, each.best, each.acted_epoch));
    return py::tuple(found);
}

void PyPlan::set_schedule(double learning_rate, double decay, double weight_decay, std::int64_t iterations, double clip_norm, const std::vector<double>& settings) {
    if (plan().epochs().count > 0) throw std::logic_error("set_schedule: expected take_epochs before it");
    const Names& names = description_.network.rule_entry().parameters;
    if (settings.size() != static_cast<std::size_t>(names.count))
        throw std::invalid_argument("settings: expected " + std::to_string(names.count) + ", got " + std::to_string(settings.size()));
    if (iterations < 0 || iterations > most_iterations) throw std::invalid_argument("iterations: expected an int from 0 to 2^62, got " + std::to_string(iterations));
    model::Schedule schedule;
    schedule.learning_rate = learning_rate;
    schedule.decay = decay;
    schedule.weight_decay = weight_decay;
    schedule.iterations = iterations;
    schedule.clip_norm = clip_norm;
    schedule.parameters = settings;
    plan_->schedule = schedule;
    scheduled_ = true;
}

py::tuple PyPlan::step_record() const {
    const model::StepRow row = plan().last_step();
    return py::make_tuple(row.accuracy, row.data_loss, row.regularization_loss, row.rate);
}

py::tuple PyPlan::take_epochs() {
    const model::Epochs& epochs = plan().epochs();
    const std::size_t count = epochs.count;
    const auto column = [count](const std::vector<double>& values, double otherwise) -> py::object {
        if (values.empty()) return py::float_(otherwise);
        NewArray<double> array({static_cast<Index>(count)});
        std::memcpy(array.data(), values.data(), count * sizeof(double));
        return py::reinterpret_steal<py::object>(array.release());
    };
    const py::object data_loss = column(epochs.data_loss, NAN);
    py::object loss = data_loss;
    if (!epochs.regularization_loss.empty()) {
        std::vector<double> sums(count);
        for (std::size_t i = 0; i < count; ++i) sums[i] = epochs.data_loss[i] + epochs.regularization_loss[i];
        loss = column(sums, NAN);
    }
    py::tuple columns = py::make_tuple(loss, data_loss, column(epochs.regularization_loss, 0), column(epochs.accuracy, NAN),
                                       column(epochs.rate, plan_->last_step().rate), column(epochs.seconds, NAN),
                                       column(epochs.validation_loss, NAN), column(epochs.validation_accuracy, NAN));
    plan_->forget_epochs();
    return py::make_tuple(count, std::move(columns));
}

namespace {

std::string engine_for(const py::object& network) {
    const Description description = description_of(network);
    return model::engine_name(model::engine_of(description.network, description.engine, description.is_double ? lanes<double> : lanes<float>));
}

bool all_finite(const py::object& object) {
    if (is_double(object.ptr(), "array")) {
        const Array<const double> array = any_array<double>(object.ptr(), "array");
        const Unlocked unlocked(static_cast<double>(array.size()));
        return model::all_finite(array.data, array.size());
    }
    const Array<const float> array = any_array<float>(object.ptr(), "array");
    const Unlocked unlocked(static_cast<double>(array.size()));
    return model::all_finite(array.data, array.size());
}

}  // namespace

void bind_plan(py::module_& module) {
    py::class_<PyPlan>(module, "Plan", "A compiled training plan; `chainrule.training.network` describes the network.")
        .def(py::init<const py::object&>(), KeepsFlags(), py::arg("network"))
        .def("begin", &PyPlan::begin, KeepsFlags(), py::arg("samples"), py::arg("validation"), py::arg("epochs"), py::arg("stop_on_nonfinite"), py::arg("drops_last"),
             py::arg("precision"), py::arg("monitors"), py::arg("notes_every") = 0, py::arg("steps_before") = 0, py::arg("in_parts") = false,
             "Begin a training of other samples in the same memory; where they come in parts, these show only their form.")
        .def("next_samples", &PyPlan::next_samples, KeepsFlags(), py::arg("samples"), py::arg("last"),
             "Go on with the next part of the epoch's samples, in whole steps unless it is the last one.")
        .def("look_at_samples", &PyPlan::look_at_samples, KeepsFlags(), py::arg("finite"),
             "Refuse labels, targets and weights that somebody has edited since, as `begin` would. Whether all numbers of X and y are finite in the plan's dtype; "
             "True where `finite` does not ask for that.")
        .def("end", &PyPlan::end, "Let the samples go.")
        .def("set_counts", [](PyPlan& self, const py::object& counts) { self.plan().set_counts(counts_of(counts, self.network())); }, py::arg("counts"),
             "Where the training stands; steps_taken and forwards count from here.")
        .def("gradients", &PyPlan::gradients, KeepsFlags(), py::arg("flat"), py::arg("dropped"),
             "Write the gradients of the first batch, penalties included, into one array; return the loss. `dropped`: factors of the dropped shares, or None.")
        .def("observe", &PyPlan::observe, KeepsFlags(), py::arg("flat"), py::arg("dropped"), py::arg("seen"),
             "Do what `gradients` does, and write what the pass computes into the arrays that are not None.")
        .def("part_gradients", &PyPlan::part_gradients, KeepsFlags(), py::arg("flat"), py::arg("part"), py::arg("order"), py::arg("dropped"),
             "Write a part's share of a batch's gradient, without penalties, into one array; return its summed loss, weight, hits and rows. `part` is "
             "(first row in the order, rows, place in the batch, rows of the step, their weight, forwards before, first row and rows of the next one).")
        .def("spend", &PyPlan::spend, KeepsFlags(), py::arg("flat"), py::arg("factors"), py::arg("forwards"),
             "Make the optimizer's step from a whole gradient without penalties; `forwards` is their number up to this step, since the counts were set.")
        .def("penalty", &PyPlan::penalty, KeepsFlags(), "The regularisation loss of the parameters as they are.")
        .def("take_notes", &PyPlan::take_notes, KeepsFlags(), "Numbers of the steps that were noted since the last call, and of each part: sums of squares "
             "of gradients, steps and parameters, each of weights and biases, and dead units.")
        .def("run", &PyPlan::run, KeepsFlags(), py::arg("max_steps"), py::arg("seconds"), py::arg("order"), py::arg("factors"),
             "Run whole steps until max_steps are done, the factors used up or the seconds gone by; return their number.")
        .def("load", &PyPlan::load, KeepsFlags(), py::arg("arrays"), "Read parameters and optimizer arrays: a tuple for each parameter, in the order of the layers.")
        .def("store", &PyPlan::store, KeepsFlags(), py::arg("arrays"), "Write parameters and optimizer arrays, in place.")
        .def("store_best", &PyPlan::store_best, KeepsFlags(), py::arg("arrays"), "Write the parameters of the epoch that a monitor kept; without states.")
        .def("monitors", &PyPlan::monitors, KeepsFlags(), "Best epoch, best value and epoch of the last act of each monitor; epochs from 1, 0: none.")
        .def_property_readonly("learning_rate", [](const PyPlan& self) { return self.plan().schedule.learning_rate; })
        .def("set_schedule", &PyPlan::set_schedule, KeepsFlags(), py::kw_only(), py::arg("learning_rate"), py::arg("decay"), py::arg("weight_decay"), py::arg("iterations"),
             py::arg("clip_norm"), py::arg("settings"), "What may change between stretches; settings are those of the rule, in the catalogue's order.")
        .def("step_record", &PyPlan::step_record, "Accuracy, data loss, regularisation loss (NaN where it is not known) and rate of the last step.")
        .def("take_epochs", &PyPlan::take_epochs, KeepsFlags(), "Number of the epochs finished since the last call, and eight columns: an array, or one number that holds for all.")
        .def("stop", [](PyPlan& self) { self.plan().stop(); })
        .def_property_readonly("done", [](const PyPlan& self) { return self.plan().done(); })
        .def_property_readonly("epoch", [](const PyPlan& self) { return self.plan().epoch(); })
        .def_property_readonly("step", [](const PyPlan& self) { return self.plan().step(); })
        .def_property_readonly("validating", [](const PyPlan& self) { return self.plan().validating(); })
        .def_property_readonly("waits_for_samples", [](const PyPlan& self) { return self.plan().waits_for_samples(); })
        .def_property_readonly("steps_taken", [](const PyPlan& self) { return self.plan().steps_taken(); })
        .def_property_readonly("updates", [](const PyPlan& self) { return self.plan().updates(); })
        .def_property_readonly("forwards", [](const PyPlan& self) { return self.plan().forwards(); })
        .def_property_readonly("iterations", [](const PyPlan& self) { return self.plan().schedule.iterations; })
        .def_property_readonly("nonfinite", [](const PyPlan& self) { return self.plan().nonfinite(); })
        .def_property_readonly("bytes", [](const PyPlan& self) { return self.plan().bytes(); });
    module.def("all_finite", &all_finite, KeepsFlags(), py::arg("array"), "Whether all numbers of an array are finite; a C-contiguous one of floats.");
    module.def("engine_for", &engine_for, KeepsFlags(), py::arg("network"), "Name of the engine that a plan of these shapes uses.");
}

}  // namespace chainrule::bindings

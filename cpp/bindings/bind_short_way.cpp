// ShortWay: between a model and a plan that was made for it before, without a Python call: one step, or what is read before
// some steps and written back after them.
//
// A plan fits as long as nothing but values has changed. A ShortWay remembers, of each part of the model, its class and its
// plain settings as they were when the plan was made. A call looks whether they are so still, reads arrays, counts and the
// rate from the parts, makes the step, and writes back. Where anything is otherwise, nothing is done, and the answer is None:
// the long way then makes another plan, converts, or refuses in words.
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/py_plan.hpp"
#include "model/finite.hpp"

namespace chainrule::bindings {
namespace {

using model::NetworkArrays;
using model::ParameterArrays;

// Attribute names that stay alive.
struct Names {
    PyObject *learning_rate = intern("learning_rate"), *decay = intern("decay"), *weight_decay = intern("weight_decay"), *iterations = intern("iterations"),
             *rate = intern("current_learning_rate"), *steps = intern("optimizer_steps"), *key = intern("key"), *step = intern("step");
    static PyObject* intern(const char* text) { return PyUnicode_InternFromString(text); }
};
const Names& names() {
    static const Names one;
    return one;
}

// What a call finds to be otherwise than remembered.
struct Otherwise {};

void require(bool holds) {
    if (!holds) throw Otherwise{};
}

bool is_plain(PyObject* value) {
    if (PyTuple_CheckExact(value)) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(value); ++i)
            if (!is_plain(PyTuple_GET_ITEM(value, i))) return false;
        return true;
    }
    return value == Py_None || PyBool_Check(value) || PyLong_CheckExact(value) || PyFloat_CheckExact(value) || PyUnicode_CheckExact(value);
}

// The number that a class has until one of its attributes, or of its bases', changes; 0 where it has none now.
unsigned version_of(PyTypeObject* type) {
#if PY_VERSION_HEX < 0x030C0000
    if (!PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG)) return 0;
#endif
    return type->tp_version_tag;
}

py::object attributes_of(PyObject* object) {
    PyObject* const found = PyObject_GenericGetDict(object, nullptr);
    if (!found) {
        PyErr_Clear();
        throw Otherwise{};
    }
    return py::reinterpret_steal<py::object>(found);
}

// A part of the model: its class, and its attributes but for those that change from step to step.
class Part {
  public:
    Part(const py::object& object, const py::object& changing) : type_(py::type::of(object)), version_(version_of(Py_TYPE(object.ptr()))), changing_(changing) {
        if (!PyAnySet_Check(changing.ptr())) throw py::type_error("parts: expected a set of names that change");
        if (object.is_none()) return;
        const py::dict attributes = attributes_of(object.ptr());
        for (const auto& [name, value] : attributes) {
            require(PyUnicode_CheckExact(name.ptr()));
            if (changes(name.ptr())) continue;
            require(is_plain(value.ptr()));
            settings_.push_back({py::reinterpret_borrow<py::object>(name), py::reinterpret_borrow<py::object>(value)});
        }
    }

    // The attributes, where the object is as it was; it need not be the same one.
    py::object look_at(PyObject* object) const {
        require(Py_TYPE(object) == reinterpret_cast<PyTypeObject*>(type_.ptr()));
        if (object == Py_None) return py::none();
        require(version_ != 0 && version_of(Py_TYPE(object)) == version_);
        py::object attributes = attributes_of(object);
        std::size_t place = 0;
        Py_ssize_t position = 0;
        PyObject *name, *value;
        while (PyDict_Next(attributes.ptr(), &position, &name, &value)) {
            if (place < settings_.size() && name == settings_[place].name.ptr()) require(same(value, settings_[place++].value.ptr()));
            else require(PyUnicode_CheckExact(name) && changes(name));  // no other key runs code
        }
        require(place == settings_.size());
        return attributes;
    }

  private:
    struct Setting {
        py::object name, value;
    };
    static bool same(PyObject* one, PyObject* other) {
        if (one == other) return true;
        if (Py_TYPE(one) != Py_TYPE(other)) return false;
        const int equal = PyObject_RichCompareBool(one, other, Py_EQ);  // of plain values: no error, no other code
        return equal == 1;
    }
    bool changes(PyObject* name) const { return PySet_Contains(changing_.ptr(), name) == 1; }

    py::object type_;
    unsigned version_;
    py::object changing_;
    std::vector<Setting> settings_;
};

// Where a parameter is: the place of its layer among the parts, and the names of its array and of the rule's beside it.
struct ParameterPlace {
    std::size_t part = 0;
    std::vector<py::object> names;  // none: not present
};

PyObject* item(const py::object& attributes, PyObject* name) {
    PyObject* const value = PyDict_GetItemWithError(attributes.ptr(), name);
    require(value);
    return value;
}

double real(const py::object& attributes, PyObject* name) {
    PyObject* const value = item(attributes, name);
    require(PyFloat_CheckExact(value) || PyLong_CheckExact(value));
    const double number = PyFloat_AsDouble(value);
    if (number == -1 && PyErr_Occurred()) PyErr_Clear();
    require(std::isfinite(number));
    return number;
}

std::int64_t count(PyObject* value) {
    require(PyLong_CheckExact(value));
    int overflow;
    const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    require(!overflow && number >= 0 && number < (1LL << 62));
    return number;
}

std::uint64_t word(PyObject* value) {
    require(PyLong_CheckExact(value));
    const unsigned long long number = PyLong_AsUnsignedLongLong(value);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        throw Otherwise{};
    }
    return number;
}

void put(const py::object& attributes, PyObject* name, PyObject* value) {
    const py::object owned = py::reinterpret_steal<py::object>(value);
    if (!value || PyDict_SetItem(attributes.ptr(), name, value) != 0) throw py::error_already_set();
}

// Memory from one address to another, the last one out.
struct Span {
    const char *first = nullptr, *last = nullptr;
    bool meets(const Span& other) const { return first < other.last && other.first < last; }
    bool operator==(const Span& other) const { return first == other.first && last == other.last; }
};

Span span_of(PyObject* array) {
    PyArrayObject* const object = reinterpret_cast<PyArrayObject*>(array);
    const char* const first = PyArray_BYTES(object);
    return {first, first + PyArray_NBYTES(object)};
}

class ShortWay {
  public:
    // parts: (object, frozenset of the names that change) of each layer, the loss, the optimizer and the accuracy.
    // trainable: the places of the model's trainable layers. parameters: (part, (name, *names of states)) or None, of the scale
    // and of each stage's weights and biases. dropouts: the part or None, behind the inputs and each stage.
    ShortWay(const py::object& plan, const py::tuple& parts, const std::vector<std::size_t>& trainable, const py::tuple& parameters, const py::tuple& dropouts,
             const std::vector<double>& constants)
        : plan_object_(plan), plan_(plan.cast<PyPlan&>()), trainable_(trainable), constants_(constants), counts_(plan_.network()) {
        try {
            for (const py::handle each : parts) {
                const auto pair = each.cast<std::pair<py::object, py::object>>();
                parts_.emplace_back(pair.first, pair.second);
            }
        } catch (const Otherwise&) {
            throw std::invalid_argument("parts: expected settings that are numbers, text, bools, None, or tuples of them");
        }
        for (const py::handle each : parameters) parameters_.push_back(place_of(each));
        for (const py::handle each : dropouts) dropouts_.push_back(each.is_none() ? -1 : each.cast<int>());
        check_places();
    }

    // (accuracy, data loss, regularisation loss, rate) of the step that was made, the regularisation loss after it, and whether
    // it left finite parameters; null where none was made.
    PyObject* step(PyObject* layers, PyObject* trainable, PyObject* const* others, PyObject* X, PyObject* y, PyObject* weights, double precision) {
        try {
            require(!plan_.runs() && !plan_.has_begun());
            const std::vector<py::object> attributes = look(layers, trainable, others);
            const model::Samples samples = samples_of(X, y, weights, plan_.network());
            require(samples.count == plan_.network().batch_size && !plan_.network().keeps_gradients && all_finite(samples));
            return plan_.is_double() ? step_as<double>(attributes, samples, X, y, precision) : step_as<float>(attributes, samples, X, y, precision);
        } catch (const Otherwise&) {
        } catch (const ConversionNeeded&) {
        } catch (const std::invalid_argument&) {
        }
        return nullptr;
    }

    // Loads the plan with what the parts hold now; false where one is otherwise, and then nothing was done.
    bool read(PyObject* layers, PyObject* trainable, PyObject* loss, PyObject* optimizer, PyObject* accuracy, double clip_norm) {
        if (plan_.plan().epochs().count > 0) throw std::logic_error("read: expected take_epochs before it");
        if (!plan_.has_begun()) throw std::logic_error("read: expected begin before it");
        PyObject* const others[] = {loss, optimizer, accuracy};
        try {
            std::vector<py::object> attributes = look(layers, trainable, others);
            if (plan_.is_double()) read_as<double>(attributes, clip_norm);
            else read_as<float>(attributes, clip_norm);
            plan_.note_loaded();
            attributes_ = std::move(attributes);
            return true;
        } catch (const Otherwise&) {
        } catch (const ConversionNeeded&) {
        }
        if (PyErr_Occurred()) PyErr_Clear();
        return false;
    }

    // Writes the plan's parameters, counts and rate to where they were read from.
    void write() {
        if (attributes_.empty()) throw std::logic_error("write: expected read before it");
        const model::PlanBase& plan = plan_.plan();
        // nothing may have made the plan another training's, or moved an array, since it was read
        if (!plan_.has_begun() || !still_there()) throw std::invalid_argument("write: expected the arrays that were read, got one that was resized or is read-only");
        if (plan_.is_double()) plan_.plan_of<double>().store(doubles_);
        else plan_.plan_of<float>().store(singles_);
        const std::vector<py::object> attributes = attributes_;  // what is put there may run any code, when it goes
        const model::Counts counts = counts_;
        write_counts(attributes, counts, static_cast<std::int64_t>(plan.steps_taken()), plan.forwards(), plan.schedule.iterations, plan.last_step().rate);
    }

  private:
    // Places among the layers, and as many names and numbers as the plan's network has arrays and settings.
    void check_places() const {
        const model::Network& network = plan_.network();
        const std::size_t layers = parts_.size() < 4 ? 0 : parts_.size() - 3;
        bool fits = layers > 0 && !network.features.any() && !network.has_shares() && parameters_.size() == 1 + 2 * network.stages.size() && dropouts_.size() == 1 + network.stages.size();
        for (std::size_t i = 0; fits && i < parameters_.size(); ++i) {
            const model::Parameter& told = i == 0 ? network.scale : i % 2 ? network.stages[(i - 1) / 2].weights : network.stages[(i - 1) / 2].biases;
            const int states = told.learns ? network.rule_entry().states.count : 0;
            fits = parameters_[i].part < layers && parameters_[i].names.size() == static_cast<std::size_t>(told.present ? 1 + states : 0);
        }
        for (const std::size_t place : trainable_) fits = fits && place < layers;
        for (const int place : dropouts_) fits = fits && place >= -1 && place < static_cast<int>(layers);
        fits = fits && constants_.size() == static_cast<std::size_t>(network.rule_entry().parameters.count);
        if (!fits) throw std::invalid_argument("short way: expected the parts, parameters, dropouts and constants of the plan's network");
    }

    template <class T> void read_as(const std::vector<py::object>& attributes, double clip_norm) {
        model::Plan<T>& plan = plan_.plan_of<T>();
        attributes_.clear();  // there is nothing to write before all is read
        NetworkArrays<T> found = arrays<T>(attributes);
        for (const py::object& samples : {plan_.samples(), plan_.validation()}) {
            if (samples.is_none()) continue;
            for (int i = 0; i < 2; ++i) require_apart(PyTuple_GET_ITEM(samples.ptr(), i));
        }
        model::Counts now = counts(attributes);
        const model::Schedule schedule = schedule_of(attributes, clip_norm);
        plan.load(found);
        plan.set_counts(now);
        plan.schedule = schedule;
        counts_ = std::move(now);
        if constexpr (sizeof(T) == sizeof(double)) doubles_ = std::move(found);
        else singles_ = std::move(found);
    }

    model::Schedule schedule_of(const std::vector<py::object>& attributes, double clip_norm) const {
        const py::object& optimizer = attributes[attributes.size() - 2];
        model::Schedule schedule;
        schedule.learning_rate = real(optimizer, names().learning_rate);
        schedule.decay = real(optimizer, names().decay);
        schedule.weight_decay = real(optimizer, names().weight_decay);
        schedule.iterations = count(item(optimizer, names().iterations));
        schedule.parameters = constants_;
        schedule.clip_norm = clip_norm;
        return schedule;
    }

    static ParameterPlace place_of(const py::handle& object) {
        ParameterPlace place;
        if (object.is_none()) return place;
        const auto [part, found] = object.cast<std::pair<std::size_t, py::tuple>>();
        place.part = part;
        for (const py::handle each : found) place.names.push_back(py::reinterpret_borrow<py::object>(each));
        return place;
    }

    // The attributes of all parts, where they are as they were.
    std::vector<py::object> look(PyObject* layers, PyObject* trainable, PyObject* const* others) const {
        const std::size_t count = parts_.size() - 3;
        require(PyList_CheckExact(layers) && PyList_GET_SIZE(layers) == static_cast<Py_ssize_t>(count));
        require(PyList_CheckExact(trainable) && PyList_GET_SIZE(trainable) == static_cast<Py_ssize_t>(trainable_.size()));
        for (std::size_t i = 0; i < trainable_.size(); ++i)
            require(PyList_GET_ITEM(trainable, static_cast<Py_ssize_t>(i)) == PyList_GET_ITEM(layers, static_cast<Py_ssize_t>(trainable_[i])));
        std::vector<py::object> attributes;
        attributes.reserve(parts_.size());
        for (std::size_t i = 0; i < parts_.size(); ++i)
            attributes.push_back(parts_[i].look_at(i < count ? PyList_GET_ITEM(layers, static_cast<Py_ssize_t>(i)) : others[i - count]));
        return attributes;
    }

    bool all_finite(const model::Samples& samples) const {
        const model::Network& network = plan_.network();
        const bool inputs = model::all_within(samples.inputs, samples.input_numbers, samples.count * network.n_inputs(), plan_.is_double());
        const bool targets = samples.labels || model::all_within(samples.targets, samples.target_numbers, samples.count * network.n_targets(), plan_.is_double());
        double total = 0;
        for (Index i = 0; samples.weights && i < samples.count; ++i) {
            if (!(samples.weights[i] >= 0)) return false;
            total += samples.weights[i];
        }
        return inputs && targets && (!samples.weights || (total > 0 && std::isfinite(total)));
    }

    template <class T> ParameterArrays<T> arrays_at(const ParameterPlace& place, const std::vector<py::object>& attributes, Index rows, Index columns) {
        ParameterArrays<T> arrays;
        for (std::size_t i = 0; i < place.names.size(); ++i) {
            PyObject* const object = item(attributes[place.part], place.names[i].ptr());
            const Array<T> array = writable<T>(object, "parameter");
            require(PyArray_NDIM(array.object) == 2 && array.rows() == rows && array.columns() == columns);
            (i ? arrays.states[i - 1] : arrays.values) = array.data;
            spans_.push_back(span_of(object));
            held_.push_back(py::reinterpret_borrow<py::object>(object));
        }
        return arrays;
    }

    template <class T> NetworkArrays<T> arrays(const std::vector<py::object>& attributes) {
        const model::Network& network = plan_.network();
        NetworkArrays<T> found(network);
        spans_.clear();
        held_.clear();
        found.scale = arrays_at<T>(parameters_[0], attributes, 1, network.n_inputs());
        for (std::size_t s = 0; s < network.stages.size(); ++s) {
            const model::Stage& stage = network.stages[s];
            found.stages[s].weights = arrays_at<T>(parameters_[1 + 2 * s], attributes, stage.n_inputs, stage.n_neurons);
            found.stages[s].biases = arrays_at<T>(parameters_[2 + 2 * s], attributes, 1, stage.n_neurons);
        }
        if (spans_ == spans_apart_) return found;
        for (std::size_t i = 0; i < spans_.size(); ++i)
            for (std::size_t k = 0; k < i; ++k) require(!spans_[i].meets(spans_[k]));
        spans_apart_ = spans_;
        return found;
    }

    // Whether the arrays of the last call are where they were, as large as they were, and can be written to.
    bool still_there() const {
        for (std::size_t i = 0; i < held_.size(); ++i) {
            PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(held_[i].ptr());
            if (!(span_of(held_[i].ptr()) == spans_[i]) || !PyArray_ISCARRAY(array)) return false;
        }
        return true;
    }

    // An array of samples lies apart from the parameters of the last call.
    void require_apart(PyObject* array) const {
        const Span samples = span_of(array);
        for (const Span& span : spans_) require(!span.meets(samples));
    }

    model::Counts counts(const std::vector<py::object>& attributes) const {
        model::Counts found(plan_.network());
        for (std::size_t i = 0; i < dropouts_.size(); ++i) {
            if (dropouts_[i] < 0) continue;
            const py::object& layer = attributes[static_cast<std::size_t>(dropouts_[i])];
            found.streams[i] = {word(item(layer, names().key)), word(item(layer, names().step))};
        }
        const auto steps = [&](const ParameterPlace& place) -> std::int64_t {
            return place.names.empty() ? 0 : count(item(steps_of(place, attributes), place.names[0].ptr()));
        };
        found.scale = learns(0) ? steps(parameters_[0]) : 0;
        for (std::size_t i = 1; i < parameters_.size(); i += 2) {
            if (!learns(i)) continue;
            found.stages[(i - 1) / 2].weights = steps(parameters_[i]);
            found.stages[(i - 1) / 2].biases = steps(parameters_[i + 1]);
        }
        return found;
    }
    static py::object steps_of(const ParameterPlace& place, const std::vector<py::object>& attributes) {
        PyObject* const steps = item(attributes[place.part], names().steps);
        require(PyDict_CheckExact(steps));
        return py::reinterpret_borrow<py::object>(steps);
    }
    bool learns(std::size_t i) const {
        const model::Network& network = plan_.network();
        return i == 0 ? network.scale_learns() : network.stages[(i - 1) / 2].weights.learns;
    }

    // Lets a step's samples and arrays go, however it ends.
    class AtEnd {
      public:
        AtEnd(model::PlanBase& plan, std::vector<py::object>& held) : plan_(plan), held_(held) {}
        ~AtEnd() {
            plan_.begin({});
            plan_.stop();
            held_.clear();
        }
        AtEnd(const AtEnd&) = delete;
        AtEnd& operator=(const AtEnd&) = delete;

      private:
        model::PlanBase& plan_;
        std::vector<py::object>& held_;
    };

    template <class T> PyObject* step_as(const std::vector<py::object>& attributes, const model::Samples& samples, PyObject* X, PyObject* y, double precision) {
        model::Plan<T>& plan = plan_.plan_of<T>();
        attributes_.clear();
        const NetworkArrays<T> found = arrays<T>(attributes);
        require_apart(X);
        require_apart(y);
        const model::Counts before = counts(attributes);
        const model::Schedule schedule = schedule_of(attributes, 0);
        model::Work work;
        work.samples = samples;
        work.precision = precision;
        bool made, finite = true;
        const AtEnd at_end(plan, held_);
        {
            const PyPlan::Running running(plan_);
            const Unlocked unlocked(model::step_flops(plan_.network()));
            plan.begin(work);
            plan.load(found);
            plan.set_counts(before);
            plan.schedule = schedule;
            plan.run(1, INFINITY, nullptr, {});
            made = !plan.nonfinite() && plan.steps_taken() == 1;
            if (made) plan.store(found);
            if (made) finite = model::all_finite(found, plan_.network());
        }
        require(made);
        const model::StepRow row = plan.last_step();
        write_counts(attributes, before, 1, 1, schedule.iterations + 1, row.rate);
        const std::vector<double>& penalties = plan.epochs().regularization_loss;
        const double penalty_after = penalties.empty() ? 0 : penalties.back();
        return py::make_tuple(row.accuracy, row.data_loss, row.regularization_loss, row.rate, penalty_after, finite).release().ptr();
    }

    void write_counts(const std::vector<py::object>& attributes, const model::Counts& before, std::int64_t taken, std::uint64_t forwards, std::int64_t iterations,
                      double rate) const {
        const py::object& optimizer = attributes[attributes.size() - 2];
        put(optimizer, names().iterations, PyLong_FromLongLong(iterations));
        if (!std::isnan(rate)) put(optimizer, names().rate, PyFloat_FromDouble(rate));
        for (std::size_t i = 0; i < dropouts_.size(); ++i)
            if (dropouts_[i] >= 0) put(attributes[static_cast<std::size_t>(dropouts_[i])], names().step, PyLong_FromUnsignedLongLong(before.streams[i].step + forwards));
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            if (parameters_[i].names.empty() || !learns(i)) continue;
            const std::int64_t steps = i == 0 ? before.scale : i % 2 ? before.stages[(i - 1) / 2].weights : before.stages[(i - 1) / 2].biases;
            put(steps_of(parameters_[i], attributes), parameters_[i].names[0].ptr(), PyLong_FromLongLong(steps + taken));
        }
    }

    py::object plan_object_;
    PyPlan& plan_;
    std::vector<Part> parts_;
    std::vector<std::size_t> trainable_;
    std::vector<ParameterPlace> parameters_;
    std::vector<int> dropouts_;
    std::vector<double> constants_;
    std::vector<Span> spans_, spans_apart_;  // the arrays' of this call; those last found apart
    std::vector<py::object> held_;           // the arrays of the last call, in the order of spans_
    // What was read last, for `write`.
    std::vector<py::object> attributes_;
    model::Counts counts_;
    NetworkArrays<float> singles_;
    NetworkArrays<double> doubles_;
};

}  // namespace
}  // namespace chainrule::bindings

namespace pybind11::detail {
template <> struct type_caster<chainrule::bindings::ShortWay> : chainrule::bindings::InitialisedCaster<chainrule::bindings::ShortWay> {};
}  // namespace pybind11::detail

namespace chainrule::bindings {
namespace {

// (way, layers, trainable layers, loss, optimizer, accuracy, X, y, weights, precision)
PyObject* short_step(PyObject*, PyObject* const* arguments, Py_ssize_t count) noexcept {
    if (count != 10) return wrong_count("short_step", 10, count);
    const runtime::FloatingPointFlags flags;
    try {
        ShortWay& way = py::cast<ShortWay&>(py::handle(arguments[0]));
        PyObject* const found = way.step(arguments[1], arguments[2], arguments + 3, arguments[6], arguments[7], arguments[8], number(arguments[9], "precision"));
        if (found) return found;
        if (PyErr_Occurred()) PyErr_Clear();
    } catch (...) {
        return translate_exception();
    }
    Py_RETURN_NONE;
}

}  // namespace

void bind_short_way(py::module_& module) {
    py::class_<ShortWay>(module, "ShortWay", "A plan for one step, and what its model was when the plan was made; `chainrule.training.short_way` makes it.")
        .def(py::init<const py::object&, const py::tuple&, const std::vector<std::size_t>&, const py::tuple&, const py::tuple&, const std::vector<double>&>(),
             py::arg("plan"), py::arg("parts"), py::arg("trainable"), py::arg("parameters"), py::arg("dropouts"), py::arg("constants"))
        .def("read",
             [](ShortWay& self, const py::object& layers, const py::object& trainable, const py::object& loss, const py::object& optimizer, const py::object& accuracy,
                double clip_norm) { return self.read(layers.ptr(), trainable.ptr(), loss.ptr(), optimizer.ptr(), accuracy.ptr(), clip_norm); },
             py::arg("layers"), py::arg("trainable"), py::arg("loss"), py::arg("optimizer"), py::arg("accuracy"), py::arg("clip_norm"),
             "Load the plan with what the parts hold now; False where one is otherwise than remembered, and then nothing was done.")
        .def("write", &ShortWay::write, "Write parameters, counts and rate to where they were read from.");
    static PyMethodDef methods[] = {
        {"short_step", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&short_step)), METH_FASTCALL,
         "short_step(way: typing.Any, layers: typing.Any, trainable: typing.Any, loss: typing.Any, optimizer: typing.Any, accuracy: typing.Any, X: typing.Any, "
         "y: typing.Any, weights: typing.Any, precision: float) -> typing.Any\n\n"
         "One step on a batch: accuracy, data loss, regularisation loss, rate, regularisation loss after it, and whether it left finite parameters; None where nothing was done, since a part is otherwise than remembered, "
         "an array not as the core takes it, or the loss not finite."},
        {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings

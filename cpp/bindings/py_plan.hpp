// Plan as Python sees it: one class over both dtypes. bind_plan.cpp has its methods.
#pragma once

#include <memory>

#include "bindings/initialised.hpp"
#include "bindings/plan_arguments.hpp"
#include "runtime/forks.hpp"

namespace chainrule::bindings {

// Keeps references to the samples from `begin` to `end`. While it runs, without Python's lock, nobody else gets at it; and it
// does not run before it has got everything that a step reads.
class PyPlan {
  public:
    explicit PyPlan(const py::object& network);
    void begin(const py::object& samples, const py::object& validation, std::int64_t epochs, bool stop_on_nonfinite, bool drops_last, double precision,
               const py::object& monitors, std::int64_t notes_every, std::int64_t steps_before, bool in_parts);
    // The next part of an epoch in parts takes the place of the one before.
    void next_samples(const py::object& samples, bool last);
    void end();
    void load(const py::tuple& arrays);
    void store(const py::tuple& arrays) const;
    void store_best(const py::tuple& arrays);
    // (best epoch, best, epoch of the last act) of each; epochs from 1, 0: none.
    py::tuple monitors() const;
    void set_schedule(double learning_rate, double decay, double weight_decay, std::int64_t iterations, double clip_norm, const std::vector<double>& settings);
    std::int64_t run(std::int64_t max_steps, double seconds, const py::object& order, const py::object& factors);
    double gradients(const py::object& flat, const py::object& dropped);
    // A step in two halves; see model/plan.hpp. The first one returns (loss, weight, hits, rows), summed.
    py::tuple part_gradients(const py::object& flat, const py::object& part, const py::object& order, const py::object& dropped);
    void spend(const py::object& flat, const py::object& factors, std::uint64_t forwards);
    double penalty() const;
    double observe(const py::object& flat, const py::object& dropped, const py::object& seen);
    // (steps (k,), notes (k, 1 + stages, 7)) since the last call.
    py::tuple take_notes();
    py::tuple step_record() const;
    // Looks again at what somebody may have edited in place: labels, targets, weights; and whether all numbers are finite, where
    // that is asked for.
    bool look_at_samples(bool finite);

    // (count, (loss, data_loss, regularization_loss, accuracy, rate, seconds, validation_loss, validation_accuracy)).
    py::tuple take_epochs();

    // Throws where another thread runs it.
    model::PlanBase& plan() const;
    template <class T> model::Plan<T>& plan_of() const { return static_cast<model::Plan<T>&>(plan()); }
    // A child of fork() has no thread that would go on with what its parent's did.
    bool runs() const { return running_ && forks_ == runtime::forks_so_far(); }
    bool has_begun() const { return count_ > 0; }
    void note_loaded() { loaded_ = scheduled_ = true; }

    // Marks the plan as running for the length of a block.
    class Running {
      public:
        explicit Running(PyPlan& plan) : plan_(plan) {
            plan.running_ = true;
            plan.forks_ = runtime::forks_so_far();
        }
        ~Running() { plan_.running_ = false; }
        Running(const Running&) = delete;
        Running& operator=(const Running&) = delete;

      private:
        PyPlan& plan_;
    };

    const model::Network& network() const { return description_.network; }
    bool is_double() const { return description_.is_double; }
    // (X, y, weights) of the training and of its validation, or None.
    const py::object& samples() const { return samples_; }
    const py::object& validation() const { return validation_; }

  private:
    template <class T> double observe_as(const py::object& flat, const py::object& dropped, const py::object& seen);
    template <class T> double gradients_as(const py::object& flat, const double* dropped);
    // The places of all gradients in a flat array of the plan's dtype.
    template <class T> model::NetworkArrays<T> flat_places(const py::object& flat) const;
    model::Factors factors_from(const py::object& factors) const;
    // An order is checked and copied once, when it comes first: it is as long as the samples are many, and an epoch may take
    // hundreds of stretches.
    const std::int64_t* places_of(const py::object& order);
    void require_ready(const char* call) const;
    void require_begun(const char* call) const;

    // Where an array of samples lay when it was looked at.
    struct Place {
        const void* data;
        Index bytes;
        bool operator==(const Place& other) const { return data == other.data && bytes == other.bytes; }
    };
    std::vector<Place> places_of_samples() const;

    Description description_;
    std::vector<Place> held_;
    bool running_ = false, loaded_ = false, scheduled_ = false;
    int forks_ = 0;  // when it ran last
    py::object samples_ = py::none(), validation_ = py::none();
    Index count_ = 0;
    py::object order_ = py::none();  // the one that places_ holds
    std::vector<std::int64_t> places_;
    std::unique_ptr<model::PlanBase> plan_;
};

}  // namespace chainrule::bindings

namespace pybind11::detail {
template <> struct type_caster<chainrule::bindings::PyPlan> : chainrule::bindings::InitialisedCaster<chainrule::bindings::PyPlan> {};
}  // namespace pybind11::detail

// The extension module `gpumath._native`: checks arguments, holds buffers, translates errors.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cmath>
#include <cstring>

#include <cuda_runtime_api.h>

#include "kernels.h"

namespace {

struct State {
  PyObject *cuda_error;
};

State *state_of(PyObject *module) { return static_cast<State *>(PyModule_GetState(module)); }

// Other Python threads run while one of these exists.
class WithoutLock {
 public:
  WithoutLock() : thread_(PyEval_SaveThread()) {}
  ~WithoutLock() { PyEval_RestoreThread(thread_); }
  WithoutLock(const WithoutLock &) = delete;
  WithoutLock &operator=(const WithoutLock &) = delete;

 private:
  PyThreadState *thread_;
};

// A buffer of float32 that somebody else owns, held until the end of the scope. While it is held,
// its owner can neither free nor resize it.
class Floats {
 public:
  Floats() = default;
  ~Floats() {
    if (view_.obj != nullptr) PyBuffer_Release(&view_);
  }
  Floats(const Floats &) = delete;
  Floats &operator=(const Floats &) = delete;

  // Takes hold of `object`'s memory. False, with a Python exception set, if it is no contiguous
  // buffer of float32 with `dimensions`, or may not be written to where that is wanted.
  bool hold(PyObject *object, const char *name, int dimensions, bool writable) {
    const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, &view_, flags) < 0) return false;
    if (!is_float32()) {
      PyErr_Format(PyExc_TypeError, "%s has elements of format '%s', not float32 ('f')", name,
                   view_.format == nullptr ? "B" : view_.format);
      return false;
    }
    if (view_.ndim != dimensions) {
      PyErr_Format(PyExc_TypeError, "%s has %d dimensions, not %d", name, view_.ndim, dimensions);
      return false;
    }
    return true;
  }

  std::size_t length(int dimension) const {
    return static_cast<std::size_t>(view_.shape[dimension]);
  }

  float *data() const { return static_cast<float *>(view_.buf); }

 private:
  // Formats are those of the module struct; this code runs on little-endian machines only.
  bool is_float32() const {
    const char *format = view_.format;
    if (format == nullptr) return false;
    if (std::strchr("@=<", *format) != nullptr && *format != '\0') ++format;
    return std::strcmp(format, "f") == 0 && view_.itemsize == sizeof(float);
  }

  Py_buffer view_{};
};

// Takes hold of two vectors of the same length. False, with a Python exception set, otherwise.
bool hold_vectors(Floats &x, PyObject *x_object, Floats &y, PyObject *y_object, bool y_writable) {
  if (!x.hold(x_object, "x", 1, false) || !y.hold(y_object, "y", 1, y_writable)) return false;
  if (x.length(0) == y.length(0)) return true;
  PyErr_Format(PyExc_ValueError, "x has %zu numbers, and y has %zu", x.length(0), y.length(0));
  return false;
}

void set_cuda_error(PyObject *module, const gpumath::Failure &failure) {
  PyObject *type = state_of(module)->cuda_error;
  PyObject *message =
      PyUnicode_FromFormat("%s: %s (%s)", failure.call, cudaGetErrorString(failure.code),
                           cudaGetErrorName(failure.code));
  if (message == nullptr) return;
  PyObject *error = PyObject_CallOneArg(type, message);
  Py_DECREF(message);
  if (error == nullptr) return;
  PyObject *code = PyLong_FromLong(failure.code);
  if (code != nullptr && PyObject_SetAttrString(error, "code", code) == 0) {
    PyErr_SetObject(type, error);
  }
  Py_XDECREF(code);
  Py_DECREF(error);
}

// Runs `work` without Python's lock. False, with a Python exception set, if CUDA fails in it.
template <typename Work>
bool run(PyObject *module, Work work) {
  try {
    const WithoutLock unlocked;
    work();
    return true;
  } catch (const gpumath::Failure &failure) {  // Here the lock is held again.
    set_cuda_error(module, failure);
    return false;
  }
}

// The versions as MAJOR * 1000 + MINOR * 10, as CUDA has them; 0 stands for no driver.
PyObject *versions(PyObject *module, PyObject *) {
  int runtime = 0;
  int driver = 0;
  const bool done = run(module, [&] {
    gpumath::check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
    gpumath::check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  });
  return done ? Py_BuildValue("ii", runtime, driver) : nullptr;
}

PyObject *device_count(PyObject *module, PyObject *) {
  int count = 0;
  const bool done = run(module, [&] {
    int driver = 0;
    gpumath::check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
    if (driver == 0) return;  // The next call would say that the driver is too old.
    const cudaError_t code = cudaGetDeviceCount(&count);
    if (code == cudaErrorNoDevice) {
      cudaGetLastError();
      count = 0;
      return;
    }
    gpumath::check(code, "cudaGetDeviceCount");
  });
  return done ? PyLong_FromLong(count) : nullptr;
}

PyObject *device(PyObject *module, PyObject *arguments) {
  int index;
  if (!PyArg_ParseTuple(arguments, "i:device", &index)) return nullptr;
  cudaDeviceProp found{};
  const bool done = run(module, [&] {
    gpumath::check(cudaGetDeviceProperties(&found, index), "cudaGetDeviceProperties");
  });
  if (!done) return nullptr;
  return Py_BuildValue("siiK", found.name, found.major, found.minor,
                       static_cast<unsigned long long>(found.totalGlobalMem));
}

PyObject *saxpy(PyObject *module, PyObject *arguments) {
  double wide;
  PyObject *x_object;
  PyObject *y_object;
  if (!PyArg_ParseTuple(arguments, "dOO:saxpy", &wide, &x_object, &y_object)) return nullptr;
  const float a = static_cast<float>(wide);
  if (std::isinf(a) && !std::isinf(wide)) {
    PyErr_SetString(PyExc_OverflowError, "a is too large for float32");
    return nullptr;
  }
  Floats x;
  Floats y;
  if (!hold_vectors(x, x_object, y, y_object, true)) return nullptr;
  if (!run(module, [&] { gpumath::saxpy(x.length(0), a, x.data(), y.data()); })) return nullptr;
  Py_RETURN_NONE;
}

PyObject *dot(PyObject *module, PyObject *arguments) {
  PyObject *x_object;
  PyObject *y_object;
  if (!PyArg_ParseTuple(arguments, "OO:dot", &x_object, &y_object)) return nullptr;
  Floats x;
  Floats y;
  if (!hold_vectors(x, x_object, y, y_object, false)) return nullptr;
  double sum = 0;
  if (!run(module, [&] { sum = gpumath::dot(x.length(0), x.data(), y.data()); })) return nullptr;
  return PyFloat_FromDouble(sum);
}

PyObject *matmul(PyObject *module, PyObject *arguments) {
  PyObject *a_object;
  PyObject *b_object;
  PyObject *out_object;
  if (!PyArg_ParseTuple(arguments, "OOO:matmul", &a_object, &b_object, &out_object)) return nullptr;
  Floats a;
  Floats b;
  Floats out;
  if (!a.hold(a_object, "a", 2, false) || !b.hold(b_object, "b", 2, false) ||
      !out.hold(out_object, "out", 2, true)) {
    return nullptr;
  }
  if (a.length(1) != b.length(0) || out.length(0) != a.length(0) || out.length(1) != b.length(1)) {
    return PyErr_Format(PyExc_ValueError, "a is %zu x %zu, b is %zu x %zu, and out is %zu x %zu",
                        a.length(0), a.length(1), b.length(0), b.length(1), out.length(0),
                        out.length(1));
  }
  const bool done = run(module, [&] {
    gpumath::matmul(a.length(0), a.length(1), b.length(1), a.data(), b.data(), out.data());
  });
  if (!done) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"versions", versions, METH_NOARGS,
     "versions()\n--\n\nCUDA of the run time and of the driver, as 1000 * major + 10 * minor."},
    {"device_count", device_count, METH_NOARGS,
     "device_count()\n--\n\nHow many GPUs there are: 0 without a driver, too."},
    {"device", device, METH_VARARGS,
     "device(index, /)\n--\n\nA GPU's name, compute capability (major, minor), bytes of memory."},
    {"saxpy", saxpy, METH_VARARGS,
     "saxpy(a, x, y, /)\n--\n\ny = a * x + y, for vectors of the same length; y is overwritten."},
    {"dot", dot, METH_VARARGS,
     "dot(x, y, /)\n--\n\nThe sum of products of two vectors, added up in double precision."},
    {"matmul", matmul, METH_VARARGS,
     "matmul(a, b, out, /)\n--\n\nout = a * b, for matrices in rows; out is overwritten."},
    {nullptr, nullptr, 0, nullptr},
};

int execute(PyObject *module) {
  State *state = state_of(module);
  state->cuda_error = PyErr_NewExceptionWithDoc(
      "gpumath.CudaError", "A call to CUDA failed; its number for that is in `code`.",
      PyExc_RuntimeError, nullptr);
  if (state->cuda_error == nullptr) return -1;
  return PyModule_AddObjectRef(module, "CudaError", state->cuda_error);
}

int traverse(PyObject *module, visitproc visit, void *arg) {
  State *state = state_of(module);
  if (state != nullptr) Py_VISIT(state->cuda_error);
  return 0;
}

int clear(PyObject *module) {
  State *state = state_of(module);
  if (state != nullptr) Py_CLEAR(state->cuda_error);
  return 0;
}

// Python clears a module only if it is part of a cycle, and frees it in any case.
void release(void *module) { clear(static_cast<PyObject *>(module)); }

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void *>(execute)},
    {0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "Kernels on a GPU, for buffers of float32.",
    sizeof(State),         methods,   slots,
    traverse,              clear,     release,
};

}  // namespace

PyMODINIT_FUNC PyInit__native() { return PyModuleDef_Init(&definition); }

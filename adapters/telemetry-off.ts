/**
 * ONNX Runtime 1.29 and later send a device id and a hash of the model to its makers unless this is set
 * when the library is loaded. In the main thread: a worker's environment is a copy that native code
 * does not see.
 */
process.env.ORT_DISABLE_TELEMETRY = '1';

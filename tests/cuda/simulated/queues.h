// Streams, events and captured graphs of the simulated GPU: closures in queues. Each function does what CUDA's of the
// same name does; they are called with the lock held.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace millrace::kernels::cuda::simulated {

/// Work for a stream: done when its turn comes, or kept where the stream is being captured.
cudaError_t enqueue(cudaStream_t stream, std::function<void()> work);
/// Does all work of all streams: what a synchronising call such as cudaFree waits for.
void finishQueues();
/// Drops everything: streams, events and graphs of before are not valid any more.
void forgetQueues();
/// Whether a call that CUDA forbids during a capture has to fail; the capture is then spoilt.
bool spoilsCapture();

cudaError_t streamCreate(cudaStream_t*, unsigned flags);
cudaError_t streamDestroy(cudaStream_t);
cudaError_t streamSynchronize(cudaStream_t);
cudaError_t streamWaitEvent(cudaStream_t, cudaEvent_t, unsigned flags);
cudaError_t eventCreate(cudaEvent_t*, unsigned flags);
cudaError_t eventDestroy(cudaEvent_t);
cudaError_t eventRecord(cudaEvent_t, cudaStream_t);
cudaError_t eventQuery(cudaEvent_t);
cudaError_t eventSynchronize(cudaEvent_t);
cudaError_t eventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t);
cudaError_t beginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t endCapture(cudaStream_t, cudaGraph_t*);
cudaError_t graphInstantiate(cudaGraphExec_t*, cudaGraph_t, unsigned long long flags);
cudaError_t graphDestroy(cudaGraph_t);
cudaError_t graphExecDestroy(cudaGraphExec_t);
cudaError_t graphLaunch(cudaGraphExec_t, cudaStream_t);

} // namespace millrace::kernels::cuda::simulated

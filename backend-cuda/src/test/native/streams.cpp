/* Streams, graphs and events of the emulated driver, see driver.h. */
#include "driver.h"

std::vector<Stream*> streams;
std::string fault;

void run(Stream* stream) {
  std::vector<Work> queue;
  queue.swap(stream->queue);
  for (const Work& work : queue) {
    if (!fault.empty()) {
      break;
    }
    work();
  }
}

void run_all() {
  for (Stream* stream : streams) {
    run(stream);
  }
}

int report_fault() {
  if (fault.empty()) {
    return OK;
  }
  std::string text;
  text.swap(fault);
  return error(ILLEGAL_ADDRESS, text);
}

int enqueue(Stream* stream, Work work) {
  if (stream->capture) {
    stream->capture->nodes.push_back(std::move(work));
  } else {
    stream->queue.push_back(std::move(work));
  }
  return OK;
}

void emu_enqueue(void* stream, Work work) {
  LOCK;
  enqueue((Stream*)stream, std::move(work));
}

API cuStreamCreate(Stream** stream, int) {
  CONTEXT;
  *stream = new Stream();
  streams.push_back(*stream);
  settings[OBJECTS]++;
  return OK;
}

API cuStreamDestroy_v2(Stream* stream) {
  CONTEXT;
  run(stream);
  std::erase(streams, stream);
  delete stream;
  settings[OBJECTS]--;
  return report_fault();
}

API cuStreamSynchronize(Stream* stream) {
  CONTEXT;
  if (stream->capture) {
    return error(CAPTURE_UNSUPPORTED, "a stream that is captured cannot be waited for");
  }
  run(stream);
  return report_fault();
}

API cuStreamBeginCapture_v2(Stream* stream, int) {
  CONTEXT;
  if (stream->capture) {
    return error(CAPTURE_UNSUPPORTED, "the stream is captured already");
  }
  stream->capture = std::make_unique<Graph>();
  return OK;
}

API cuStreamEndCapture(Stream* stream, Graph** graph) {
  CONTEXT;
  if (!stream->capture) {
    return error(INVALID_VALUE, "the stream is not captured");
  }
  *graph = stream->capture.release();
  settings[OBJECTS]++;
  return OK;
}

API cuGraphInstantiateWithFlags(Graph** executable, Graph* graph, u64) {
  CONTEXT;
  *executable = new Graph(*graph);
  settings[OBJECTS]++;
  settings[INSTANTIATIONS]++;
  return OK;
}

API cuGraphLaunch(Graph* executable, Stream* stream) {
  CONTEXT;
  settings[GRAPH_LAUNCHES]++;
  for (const Work& work : executable->nodes) {
    enqueue(stream, work);
  }
  return OK;
}

API cuGraphExecDestroy(Graph* executable) {
  CONTEXT;
  delete executable;
  settings[OBJECTS]--;
  return OK;
}

API cuGraphDestroy(Graph* graph) { return cuGraphExecDestroy(graph); }

/* An event is the stream that it was recorded in: waiting for more than need be is no error. */
API cuEventCreate(Stream*** event, int) {
  CONTEXT;
  *event = new Stream*(nullptr);
  settings[OBJECTS]++;
  return OK;
}

API cuEventRecord(Stream** event, Stream* stream) {
  CONTEXT;
  *event = stream;
  return OK;
}

API cuEventSynchronize(Stream** event) {
  CONTEXT;
  if (*event != nullptr) {
    run(*event);
  }
  return report_fault();
}

API cuEventDestroy_v2(Stream** event) {
  CONTEXT;
  delete event;
  settings[OBJECTS]--;
  return OK;
}

package dev.llama.core.model;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.IntFunction;

/**
 * Workspaces that are not in use. Sessions borrow one for a step and give it back, so that memory
 * follows the number of sessions that run, not the number that are open.
 */
final class WorkspacePool implements AutoCloseable {
  /** Idle workspaces kept for each size. */
  private static final int MAX_IDLE = 4;

  private final IntFunction<Workspace> factory;

  /** Idle workspaces with a capacity of 2 to the power of the index. */
  private final Deque<Workspace>[] idle;

  private boolean closed;

  /**
   * Creates an empty pool.
   *
   * @param factory makes a workspace of that many rows
   */
  @SuppressWarnings({"unchecked", "rawtypes"})
  WorkspacePool(IntFunction<Workspace> factory) {
    this.factory = factory;
    idle = new Deque[Integer.SIZE];
    for (int i = 0; i < idle.length; i++) {
      idle[i] = new ArrayDeque<>();
    }
  }

  /** Borrows a workspace for at least that many rows. */
  Workspace acquire(int rows) {
    int exponent = Integer.SIZE - Integer.numberOfLeadingZeros(rows - 1);
    synchronized (this) {
      Workspace workspace = idle[exponent].poll();
      if (workspace != null) {
        return workspace;
      }
    }
    return factory.apply(1 << exponent);
  }

  void release(Workspace workspace) {
    workspace.batch().clear(); // lets go of the session's cache
    synchronized (this) {
      Deque<Workspace> sameSize = idle[Integer.numberOfTrailingZeros(workspace.capacity())];
      if (!closed && sameSize.size() < MAX_IDLE) {
        sameSize.push(workspace);
        return;
      }
    }
    workspace.close();
  }

  @Override
  public synchronized void close() {
    closed = true;
    for (Deque<Workspace> sameSize : idle) {
      sameSize.forEach(Workspace::close);
      sameSize.clear();
    }
  }
}

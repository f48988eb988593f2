package dev.llama.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.InvalidInputException;
import org.junit.jupiter.api.Test;

/** Where each schedule begins, turns and ends. */
class ScheduleTest {
  private static final double EXACT = 1e-15;

  @Test
  void warmUpIsAStraightLineToThePeak() {
    Schedule schedule = Schedule.cosine(0.8, 4, 20);
    assertEquals(0.2, schedule.rate(0), EXACT);
    assertEquals(0.4, schedule.rate(1), EXACT);
    assertEquals(0.8, schedule.rate(3), EXACT);
    assertTrue(schedule.rate(4) < 0.8);
  }

  @Test
  void cosineEndsAtTheFloorAndStaysThere() {
    Schedule schedule = new Schedule(1, 2, 10, Schedule.Decay.COSINE, 0.2);
    assertEquals(0.2 + 0.8 * 0.5, schedule.rate(5), EXACT, "half of the way");
    assertEquals(0.2, schedule.rate(9), EXACT);
    assertEquals(0.2, schedule.rate(10_000), EXACT);
  }

  @Test
  void linearGoesDownInEqualParts() {
    Schedule schedule = new Schedule(1, 0, 4, Schedule.Decay.LINEAR, 0);
    assertEquals(0.75, schedule.rate(0), EXACT);
    assertEquals(0.5, schedule.rate(1), EXACT);
    assertEquals(0, schedule.rate(3), EXACT);
    assertEquals(0.1, Schedule.linear(1, 1, 5).rate(4), EXACT);
  }

  @Test
  void constantStaysAtThePeak() {
    Schedule schedule = Schedule.constant(0.5, 2);
    assertEquals(0.25, schedule.rate(0), EXACT);
    assertEquals(0.5, schedule.rate(1), EXACT);
    assertEquals(0.5, schedule.rate(1_000_000_000), EXACT);
  }

  @Test
  void refusesWhatMakesNoSense() {
    assertThrows(InvalidInputException.class, () -> Schedule.cosine(0, 1, 10));
    assertThrows(InvalidInputException.class, () -> Schedule.cosine(Double.NaN, 1, 10));
    assertThrows(InvalidInputException.class, () -> Schedule.cosine(1, 10, 10));
    assertThrows(InvalidInputException.class, () -> Schedule.cosine(1, -1, 10));
    assertThrows(
        InvalidInputException.class, () -> new Schedule(1, 1, 10, Schedule.Decay.COSINE, 2));
  }
}

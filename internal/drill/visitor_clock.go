package drill

import (
	"context"
	"time"
)

// clock tells how long a drill has been playing. Everything that is planned is planned by it.
type clock struct{ start time.Time }

func (c *clock) now() time.Duration { return time.Since(c.start) }

// wait returns true at a moment of the drill, or false if ctx ends first.
func (c *clock) wait(ctx context.Context, at time.Duration) bool {
	return pause(ctx, at-c.now())
}

// pause returns true after d, or false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

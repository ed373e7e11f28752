package drill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/wire"
)

const maxMoments = 4 * 120 // two minutes: twice the longest scenario

// account is what became of all attacks, by moment and in all.
type account struct {
	clock             *clock
	offered, withheld atomic.Int64
	lag               atomic.Int64 // nanoseconds
	statuses          [600]atomic.Int64
	byMoment          [maxMoments]struct{ offered, answered, refused, failed atomic.Int32 }

	mu     sync.Mutex
	others map[string]int // failures, by a word
}

func (c *account) moment() int {
	return max(0, min(int(c.clock.now()/score.Step), maxMoments-1))
}

// begin counts what is begun.
func (c *account) begin() {
	c.offered.Add(1)
	c.byMoment[c.moment()].offered.Add(1)
}

// late notes how long after it was due something is begun.
func (c *account) late(due time.Duration) {
	late := int64(c.clock.now() - due)
	for {
		most := c.lag.Load()
		if late <= most || c.lag.CompareAndSwap(most, late) {
			return
		}
	}
}

// answer counts n responses. A 401 or 404 is the site's own word; other 4xx refuse what the site would have answered.
func (c *account) answer(status, n int) {
	c.statuses[max(0, min(status, 599))].Add(int64(n))
	m := &c.byMoment[c.moment()]
	switch {
	case status >= 500:
		m.failed.Add(int32(n))
	case status < 400 || status == http.StatusUnauthorized || status == http.StatusNotFound:
		m.answered.Add(int32(n))
	default:
		m.refused.Add(int32(n))
	}
}

// fail counts n that got no response: a connection that was refused or cut off, a wait that was too long. What the
// attack's own end has cut off says nothing about the target.
func (c *account) fail(ctx context.Context, err error, n int) {
	why := wire.Why(err)
	switch {
	case ctx.Err() != nil:
		why = "cut"
	case errors.Is(err, errAlert):
		why = "tls"
	}
	m := &c.byMoment[c.moment()]
	switch why {
	case "refused", "closed", "tls":
		m.refused.Add(int32(n))
	case "cut":
	default:
		m.failed.Add(int32(n))
	}
	c.note(why, n)
}

// took counts what the target took without a word, as a stream that is taken back.
func (c *account) took(what string) {
	c.byMoment[c.moment()].answered.Add(1)
	c.note(what, 1)
}

func (c *account) note(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.others == nil {
		c.others = map[string]int{}
	}
	c.others[what] += n
}

// moments returns what became of the attacks in every quarter of a second (score.Step), up to now.
func (c *account) moments() []score.Moment {
	out := make([]score.Moment, c.moment()+1)
	for i := range out {
		m := &c.byMoment[i]
		out[i] = score.Moment{
			Offered: int(m.offered.Load()), Answered: int(m.answered.Load()),
			Refused: int(m.refused.Load()), Failed: int(m.failed.Load()),
		}
	}
	return out
}

// outcomes returns counts by status, and by the word for what had none.
func (c *account) outcomes() map[string]int {
	out := map[string]int{}
	for status := range c.statuses {
		if n := int(c.statuses[status].Load()); n > 0 {
			out[fmt.Sprint(status)] = n
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(out, c.others)
	return out
}

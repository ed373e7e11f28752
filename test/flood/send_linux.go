package flood

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Sent is what a flood came to.
type Sent struct {
	Packets int // that the interface took
	Bytes   int // of their frames
	Refused int // by the interface; a veth does, while there is no room at its other end
	Lost    int // of a rate that the sender fell behind by too much to make up for
	Began   time.Time
	Elapsed time.Duration
}

const (
	batch = 64                     // packets between looks at the clock
	tick  = 200 * time.Microsecond // of rest, if the rate leaves time
	debt  = 20 * time.Millisecond  // what a sender that was held up makes up for
)

// Send sends a plan's packets until their number or the time is reached or ctx ends, which is no error. Nothing is sent if the target or the
// namespace may not be attacked. The flood is as fast as one core: it keeps its thread to itself.
func Send(ctx context.Context, link Link, plan Plan) (Sent, error) {
	packets, err := New(plan, link)
	if err != nil {
		return Sent{}, err
	}
	runtime.LockOSThread() // the namespace is the thread's
	defer runtime.UnlockOSThread()
	index, err := attackable(link)
	if err != nil {
		return Sent{}, fmt.Errorf("send on %s: %w", link.Interface, err)
	}
	s, err := open(index)
	if err != nil {
		return Sent{}, fmt.Errorf("send on %s: %w", link.Interface, err)
	}
	defer s.close()
	return packets.send(ctx, s)
}

// send paces the batches.
func (p *Packets) send(ctx context.Context, s socket) (Sent, error) {
	frame := make([]byte, MaxFrame)
	began := time.Now()
	sent := Sent{Began: began}
	for ctx.Err() == nil {
		sent.Elapsed = time.Since(began)
		left := p.plan.Packets - sent.Packets - sent.Refused
		if left <= 0 || sent.Elapsed >= p.plan.Lasting {
			break
		}
		n := min(batch, left, p.due(&sent))
		if n == 0 {
			time.Sleep(tick)
			continue
		}
		for range n {
			if err := s.send(frame[:p.Next(frame)], &sent); err != nil {
				return sent, err
			}
		}
	}
	sent.Elapsed = time.Since(began)
	return sent, nil
}

// due is how many packets should have been sent by now and were not.
func (p *Packets) due(sent *Sent) int {
	if p.plan.Rate == 0 {
		return batch
	}
	due := int(float64(p.plan.Rate)*sent.Elapsed.Seconds()) - sent.Packets - sent.Refused - sent.Lost
	if most := int(float64(p.plan.Rate) * debt.Seconds()); due > most+batch {
		sent.Lost += due - most
		due = most
	}
	return due
}

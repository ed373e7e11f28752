package drill

import "sync"

// job is a request to be sent over a link.
type job struct {
	link *link
	look *look
	slot slot
}

// crew is goroutines that send requests, one at a time each: as many as ever had one under way at once. They stay, because
// a new goroutine's stack grows with each request it sends, which costs as much as the rest of it.
type crew struct {
	send func(job)
	wg   sync.WaitGroup

	mu   sync.Mutex
	idle []chan job // who was busy last is at the end: their stack is in the processor's cache
	over bool
}

// do has one of the crew send j.
func (c *crew) do(j job) {
	c.mu.Lock()
	n := len(c.idle)
	if n == 0 {
		c.mu.Unlock()
		c.wg.Go(func() { c.serve(j) })
		return
	}
	next := c.idle[n-1]
	c.idle = c.idle[:n-1]
	c.mu.Unlock()
	next <- j
}

func (c *crew) serve(j job) {
	orders := make(chan job, 1)
	for ok := true; ok; j, ok = <-orders {
		c.send(j)
		c.mu.Lock()
		if c.over {
			c.mu.Unlock()
			return
		}
		c.idle = append(c.idle, orders)
		c.mu.Unlock()
	}
}

// dismiss waits until everybody has sent what they had, and ends the crew.
func (c *crew) dismiss() {
	c.mu.Lock()
	c.over = true
	for _, orders := range c.idle {
		close(orders)
	}
	c.idle = nil
	c.mu.Unlock()
	c.wg.Wait()
}

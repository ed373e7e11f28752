package main

import (
	"context"
	"fmt"
	"iter"
	"time"
)

const (
	spreadPasses = 20                     // at most, until a server has stored every object
	spreadPause  = 200 * time.Millisecond // between them: what is written to a disk is written behind the answers
)

// spread asks for every object of the scenario, again and again until none is asked of the origin any more.
func (t *site) spread(ctx context.Context, address string) error {
	missed := 0
	for range spreadPasses {
		before, err := t.asked(ctx)
		if err != nil {
			return err
		}
		_, err = t.fetch(ctx, address, func(client int) iter.Seq[int] {
			return func(yield func(int) bool) {
				for i := client; i < t.scenario.objects && yield(i); i += churners {
				}
			}
		})
		if err != nil {
			return err
		}
		after, err := t.asked(ctx)
		if err != nil {
			return err
		}
		if missed = after - before - 1; missed == 0 {
			return nil
		}
		time.Sleep(spreadPause)
	}
	return fmt.Errorf("after %d passes over %d objects, %d are still asked of the origin: want none", spreadPasses, t.scenario.objects, missed)
}

package contrast_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seawall/seawall/contrast"
)

// Learn what is ordinary, minute by minute, and ask what a flood has that it has not.
func ExampleFinder_Find() {
	schema := contrast.Schema{
		{Name: "port", List: 4},
		{Name: "length", Widest: 200, Weak: true},
		{Name: "window", List: 8},
	}
	r := rand.New(rand.NewPCG(1, 2))
	visitor := func() []uint32 {
		return []uint32{443, 40 + r.Uint32N(1460), 64240 - 8*r.Uint32N(100)}
	}
	baseline, err := contrast.NewBaseline(schema, contrast.Memory{Seed: 1})
	if err != nil {
		panic(err)
	}
	window := contrast.NewWindow(schema, 20000, 1)
	for range 8 {
		window.Reset()
		for range 20000 {
			window.Add(visitor(), 1)
		}
		baseline.Learn(window, time.Minute)
	}

	window.Reset()
	for range 5000 {
		window.Add(visitor(), 1)
		window.Add([]uint32{443, 500 + r.Uint32N(20), 1024}, 10)
	}
	finder, err := contrast.NewFinder(schema, contrast.Options{Seed: 1})
	if err != nil {
		panic(err)
	}
	result := finder.Find(baseline.Profile(), window, 15*time.Second)
	for _, found := range result.Found {
		fmt.Printf("%s: %.1f %% of the excess, at most %.3f %% of ordinary traffic\n",
			schema.Format(found.Conjunction), 100*found.Covered, 100*found.FalseBound)
	}
	// Output:
	// length in 500..519 and window = 1024: 100.0 % of the excess, at most 0.009 % of ordinary traffic
}

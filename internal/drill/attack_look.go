package drill

import (
	"fmt"
	"math/rand/v2"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/wire"
)

const (
	copies     = 256  // browsers that a botnet copies: what differs among them are versions, systems and languages
	toolbox    = 64   // tools that an attack has, to change with each pulse or request
	randomised = 2048 // fingerprints of an attack that makes them up
)

// A look is how a client looks to the target: its software, which every bot that wears it shares.
type look struct {
	*wire.Software
	index int // in its wardrobe
}

// plain is l without HTTP/2, for what is only slow over HTTP/1.1.
func (l *look) plain() *look { return &look{l.WithoutHTTP2(), l.index} }

// wardrobe is the looks that an attack's clients have.
type wardrobe struct {
	agent string
	looks []*look
}

// newWardrobe draws the looks of an attack from where visitors' are drawn, except that tools look like tools.
func newWardrobe(rng *rand.Rand, a scenario.Attack) (*wardrobe, error) {
	w := &wardrobe{agent: a.Agent}
	n := 1
	switch a.Agent {
	case "tool":
		if a.Shape.Kind == scenario.Pulse {
			n = min(int((a.Until-a.From)/(a.Shape.On+a.Shape.Off))+1, toolbox)
		}
	case "tools":
		n = toolbox
	case "random":
		n = min(a.Sources.Count, randomised)
	case "browsers":
		n = min(a.Sources.Count, copies)
	}
	first := rng.IntN(1 << 16)
	for i := range n {
		s, err := software(rng, a.Agent, first+i)
		for n := 1; err == nil && s.HTTP2 == nil && a.Kind == scenario.Resets; n++ {
			if n == toolbox {
				return nil, fmt.Errorf("agent %q speaks no HTTP/2, which %s are made of", a.Agent, a.Kind)
			}
			s, err = software(rng, a.Agent, first+i+n)
		}
		if err != nil {
			return nil, fmt.Errorf("agent: %w", err)
		}
		w.looks = append(w.looks, &look{s, i})
	}
	return w, nil
}

// software draws one; n chooses among tools.
func software(rng *rand.Rand, agent string, n int) (*wire.Software, error) {
	switch agent {
	case "tool", "tools":
		return wire.Tool(n, rng), nil
	case "browsers":
		return wire.Browser(rng), nil
	}
	return wire.Named(agent, rng)
}

// of is how the client of a slot looks: like its bot, like the tool of its pulse, or like any of the tools.
func (w *wardrobe) of(s slot) *look {
	switch w.agent {
	case "tool":
		return w.looks[s.pulse%len(w.looks)]
	case "tools":
		return w.looks[s.seed%uint64(len(w.looks))]
	}
	return w.looks[s.bot%len(w.looks)]
}

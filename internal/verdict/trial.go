package verdict

import (
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/lists"
	"github.com/seawall/seawall/internal/verdict/rules"
	garden "github.com/seawall/seawall/rules"
)

// Trial is an expression that is tried on requests, with the lists of a zone. It is not for concurrent use.
type Trial struct {
	room  *Room
	trial *rules.Trial
}

// Try compiles an expression. What is wrong with it is a [*garden.Error], which has the place.
func (r *Room) Try(expression string, z *spec.Zone) (*Trial, error) {
	listed, err := lists.Compile(&z.Lists, &r.lists)
	if err != nil {
		return nil, err
	}
	t, err := r.rules.Try(expression, nameable{listed})
	if err != nil {
		return nil, err
	}
	return &Trial{r, t}, nil
}

// Explain says what each part of the expression is for a request.
func (t *Trial) Explain(f *flow.Flow) garden.Explanation {
	t.room.bots.Judge(f)
	return t.trial.Explain(f)
}

package verdict

import (
	"fmt"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/limits"
)

// bounds are a zone's limits, from limitsRequests to limitsOriginRequestsBusy.
type bounds [limitsOriginRequestsBusy - limitsRequests + 1]*limits.Limit

func (b *bounds) of(r rule) *limits.Limit { return b[r-limitsRequests] }

// bounds compiles a zone's limits.
func (r *Room) bounds(z *spec.Zone) (b bounds, err error) {
	for i, rate := range [len(b)]spec.Rate{z.Limits.Requests, z.Limits.OriginRequests, z.Limits.OriginRequestsBusy} {
		kind := limitsRequests + rule(i)
		if b[i], err = r.taken.Compile(z.Name, uint8(kind), rate, z.Limits.PerNetwork); err != nil {
			return b, fmt.Errorf("%v: %w", kind, err)
		}
	}
	return b, nil
}

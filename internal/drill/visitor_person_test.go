package drill

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/drill/score"
)

// A visitor comes back when they were told to, or after a while, as long as their patience lasts.
func TestComesBack(t *testing.T) {
	refused := &rebuff{status: 429, retryAfter: 2 * time.Second}
	reset := &severed{before: true, err: errors.New("reset")}
	broken := &severed{err: errors.New("broken off")}
	endless := errors.New("waits until patience ends")
	tests := []struct {
		name    string
		tries   int     // at most
		errs    []error // of the tries
		outcome score.Outcome
		why     string
		took    time.Duration
	}{
		{"served at once", 2, []error{nil}, score.Served, "", 0},
		{"told when to come back", 2, []error{refused, nil}, score.Late, "", 2 * time.Second},
		{"reset", 2, []error{reset, nil}, score.Late, "", time.Second},
		{"turned away twice", 2, []error{reset, refused}, score.Refused, "429", time.Second},
		{"reset twice", 2, []error{refused, reset}, score.Refused, "closed", 2 * time.Second},
		{"broken off", 2, []error{broken, broken}, score.Failed, "closed", time.Second},
		{"lost", 2, []error{&severed{lost: true, err: errors.New("dropped")}}, score.Failed, "closed", 0},
		{"told to come back too late", 2, []error{&rebuff{status: 503, retryAfter: time.Minute}}, score.Failed, "503", 0},
		{"challenged", 2, []error{&rebuff{status: 403, challenge: true}, &rebuff{status: 403, challenge: true}}, score.Stuck, "challenge", time.Second},
		{"refused by the site itself", 1, []error{&rebuff{status: 403, own: true}}, score.Failed, "wrong", 0},
		{"wrong", 1, []error{&rebuff{status: 200}}, score.Failed, "wrong", 0},
		{"stubborn", 3, []error{reset, reset, nil}, score.Late, "", 3 * time.Second},
		{"out of patience at once", 2, []error{endless}, score.Failed, "timeout", 5 * time.Second},
		{"out of patience after a refusal", 2, []error{refused, endless}, score.Refused, "429", 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, tries := time.Now(), 0
				v := &visitor{role: &role{tries: tt.tries}, agent: &userAgent{}}
				f := v.run(t.Context(), errand{do: func(ctx context.Context) error {
					err := tt.errs[tries]
					tries++
					if err == endless {
						<-ctx.Done()
						return &severed{before: true, err: ctx.Err()}
					}
					return err
				}}, 5*time.Second)
				if outcome, why := f.judge(); outcome != tt.outcome || why != tt.why || tries != len(tt.errs) {
					t.Errorf("%v (%s) after %d tries; want %v (%s) after %d", outcome, why, tries, tt.outcome, tt.why, len(tt.errs))
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

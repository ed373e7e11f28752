package score

import "time"

// When an attack counts as mitigated. A window of two seconds holds some dozens of visitors' requests, so that a stray
// does not undo what was reached, and an attack that stops at once is still seen to stop within a Step. A tenth of what
// an origin gets is load that every origin has to spare. A cache can keep so much of the visitors' traffic from the
// origin that the smallest leak is more than a tenth of the rest: hence the second threshold.
const (
	mitigationWindow = 8    // Steps
	shareOfOrigin    = 0.1  // of what the origin got
	shareOfAttack    = 0.01 // of what the attack offered
)

// State says whether an attack was mitigated.
type State string

// The states.
const (
	Unneeded  State = "unneeded"  // it was never above the thresholds at the origin
	Mitigated State = "mitigated" // it was, and then no more until its end
	Never     State = "never"
)

// Mitigation is when the attack's share of what the origin gets stayed under the threshold until the attack's end.
type Mitigation struct {
	State State  `json:"state,omitempty"` // "" in an event
	After Millis `json:"after_ms"`        // since the attack began, if it was mitigated
	Of    Millis `json:"of_ms"`           // how long the attack was
}

// soon is the share of the attack's time that was left, 0 to 1.
func (m Mitigation) soon() float64 {
	switch {
	case m.State == Unneeded:
		return 1
	case m.State != Mitigated || m.Of <= 0:
		return 0
	}
	return max(0, 1-float64(m.After)/float64(m.Of))
}

// mitigationOf looks through windows that begin a Step apart, each within the attack, for the last one that is above
// both thresholds. An attack shorter than a window is one window.
func mitigationOf(attack []Moment, origin []Origin, from, until time.Duration) Mitigation {
	m := Mitigation{State: Unneeded, Of: Millis(max(0, until-from))}
	first, end := int(from/Step), int((until+Step-1)/Step)
	last := max(first, end-mitigationWindow)
	for i := last; i >= first; i-- {
		if !above(window(attack, i), window(origin, i)) {
			continue
		}
		if i == last {
			m.State = Never
		} else {
			m.State, m.After = Mitigated, Millis(max(0, time.Duration(i+1)*Step-from))
		}
		break
	}
	return m
}

// window cuts the window that begins at i; what was not recorded is missing.
func window[T any](moments []T, i int) []T {
	return moments[min(i, len(moments)):min(i+mitigationWindow, len(moments))]
}

// above reports whether a window is above both thresholds.
func above(attack []Moment, origin []Origin) bool {
	offered, attackers, all := 0, 0, 0
	for _, m := range attack {
		offered += m.Offered
	}
	for _, o := range origin {
		attackers, all = attackers+o.Attacker, all+o.all()
	}
	return attackers > 0 && float64(attackers) >= shareOfOrigin*float64(all) && float64(attackers) >= shareOfAttack*float64(offered)
}

package scenario

import "time"

// Total is how many requests, or connections, an attack sends.
func (a *Attack) Total() float64 { return a.Rate * a.Shape.share(a.Until-a.From) }

// Total is how many newcomers an event brings.
func (e *Event) Total() float64 { return e.Arrivals * e.Shape.share(e.Until-e.From) }

// At is the share of the full rate, 0 to 1, at a moment of something that lasts for span and began at 0.
func (s *Shape) At(at, span time.Duration) float64 {
	switch {
	case at < 0 || at >= span:
		return 0
	case s.Kind == Ramp:
		return at.Seconds() / span.Seconds()
	case s.Kind == Pulse && at%(s.On+s.Off) >= s.On:
		return 0
	}
	return 1
}

// share is for how many seconds of a time a rate would last if it were steady.
func (s *Shape) share(of time.Duration) float64 {
	switch s.Kind {
	case Ramp:
		return of.Seconds() / 2
	case Pulse:
		period := s.On + s.Off
		return float64(of/period)*s.On.Seconds() + min(of%period, s.On).Seconds()
	}
	return of.Seconds()
}

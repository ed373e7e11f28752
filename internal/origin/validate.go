package origin

import (
	"fmt"
	"time"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/spec"
)

// minInterval bounds how often a server is checked.
const minInterval = 100 * time.Millisecond

// validate checks what concerns an origin as a whole.
func validate(o *spec.Origin) error {
	switch o.Balance {
	case spec.BalanceRoundRobin, spec.BalanceLeastRequests, spec.BalanceSource:
	default:
		return fmt.Errorf("origin.balance: %q is no way to choose a server: want %s, %s or %s",
			o.Balance, spec.BalanceRoundRobin, spec.BalanceLeastRequests, spec.BalanceSource)
	}
	if o.AllDown != spec.AllDownRefuse && o.AllDown != spec.AllDownTry {
		return fmt.Errorf("origin.all_down: %q is unknown: want %s or %s", o.AllDown, spec.AllDownRefuse, spec.AllDownTry)
	}
	switch {
	case o.Protocol != "" && o.Protocol != spec.ProtocolHTTP1 && o.Protocol != spec.ProtocolHTTP2:
		return fmt.Errorf("origin.protocol: %q is not spoken: want %s or %s", o.Protocol, spec.ProtocolHTTP1, spec.ProtocolHTTP2)
	case o.Protocol == spec.ProtocolHTTP2 && o.ProxyProtocol != "":
		return fmt.Errorf("origin.protocol: %s cannot be had with proxy_protocol, which names one client for a whole connection, while one of HTTP/2 carries many clients' requests: want one of them", o.Protocol)
	}
	if v := o.ProxyProtocol; v != "" && v != "v1" && v != "v2" {
		return fmt.Errorf("origin.proxy_protocol: %q is no version: want v1 or v2, or nothing for no PROXY protocol", v)
	}
	if o.ClientHeader != "" && (!h1.ValidToken(o.ClientHeader) || classify(o.ClientHeader) == hop) {
		return fmt.Errorf("origin.client_header: %q cannot carry an address; use a field of its own, such as X-Real-IP", o.ClientHeader)
	}
	if o.Retries < 0 {
		return fmt.Errorf("origin.retries: %d is negative: want 0 or more", o.Retries)
	}
	for _, t := range []struct {
		key   string
		value time.Duration
	}{
		{"connect_timeout", o.ConnectTimeout},
		{"response_timeout", o.ResponseTimeout},
		{"stall_timeout", o.StallTimeout},
		{"idle_timeout", o.IdleTimeout},
	} {
		if t.value <= 0 {
			return fmt.Errorf("origin.%s: %v is not a positive duration", t.key, t.value)
		}
	}
	return validateHealth(&o.Health)
}

// validateHealth checks the numbers of health; newCheck checks the rest.
func validateHealth(h *spec.Health) error {
	switch {
	case h.MaxFails < 0:
		return fmt.Errorf("origin.health.max_fails: %d is negative: want 1 or more, or 0 for no such rule", h.MaxFails)
	case h.MaxFails > 0 && h.FailTimeout <= 0:
		return fmt.Errorf("origin.health.fail_timeout: %v is not a positive duration, such as 10s", h.FailTimeout)
	case h.SlowStart < 0:
		return fmt.Errorf("origin.health.slow_start: %v is negative: want a duration such as 30s, or 0s for none", h.SlowStart)
	case h.Path == "":
		return nil
	case h.Interval < minInterval:
		return fmt.Errorf("origin.health.interval: %v is too short: want %v or longer", h.Interval, minInterval)
	case h.Timeout <= 0:
		return fmt.Errorf("origin.health.timeout: %v is not a positive duration, such as 2s", h.Timeout)
	case h.Rise < 1:
		return fmt.Errorf("origin.health.rise: %d is too few: want 1 or more", h.Rise)
	case h.Fall < 1:
		return fmt.Errorf("origin.health.fall: %d is too few: want 1 or more", h.Fall)
	}
	return nil
}

package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/seawall/seawall/internal/record"
)

// serveMisses lists the commonest misses of a zone's newest requests.
func (n *Node) serveMisses(w http.ResponseWriter, r *http.Request) {
	query, most := r.URL.Query(), 20
	if text := query.Get("n"); text != "" {
		var err error
		if most, err = strconv.Atoi(text); err != nil || most < 1 || most > record.MostMisses {
			http.Error(w, fmt.Sprintf("n is %q: want a number from 1 to %d", text, record.MostMisses), http.StatusBadRequest)
			return
		}
	}
	zone := query.Get("zone")
	if zone != "" {
		if _, err := n.onlyZone(zone); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
	}
	m := Misses(n.rooms.Record.Misses(zone, most))
	answer(w, http.StatusOK, &m)
}

// Misses is what of the newest requests the cache did not answer, and why.
type Misses record.Misses

// TopMisses asks the node that runs on this machine for the n commonest misses of a zone, "" for all; for admin see [Explain].
func TopMisses(ctx context.Context, data, admin, zone string, n int) (*Misses, error) {
	query := url.Values{"zone": {zone}, "n": {strconv.Itoa(n)}}
	return askFor[*Misses](ctx, http.MethodGet, data, admin, "/api/cache/top?"+query.Encode(), nil)
}

// Write tells it to a person.
func (m *Misses) Write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "of the last %d requests, the cache answered %d (%s), and %s of %d bytes\n",
		m.Requests, m.Hits, share(int64(m.Hits), int64(m.Requests)), share(m.HitBytes, m.Bytes), m.Bytes)
	for _, p := range m.Top {
		if err != nil {
			return err
		}
		reason := p.Cache
		if p.Reason != "" {
			reason += ": " + p.Reason
		}
		_, err = fmt.Fprintf(w, "%8d  %s%s  %s  (%s)\n", p.Count, p.Host, p.Path, reason, p.Example)
	}
	return err
}

func share(part, all int64) string {
	if all == 0 {
		return "0 %"
	}
	return strconv.FormatFloat(100*float64(part)/float64(all), 'f', 1, 64) + " %"
}

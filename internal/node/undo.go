package node

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/exceptions"
	"github.com/seawall/seawall/internal/zone"
)

const (
	// exceptionsFile keeps what is undone, in the data folder.
	exceptionsFile = "exceptions.json"
	// undoneFor is how long something is undone if nobody says how long.
	undoneFor = time.Hour
)

// Undo is what refuses and is not to for a time: a rule of a zone, or all that refuses an address, or a prefix, in a zone or in all.
type Undo struct {
	Address string `json:"address,omitempty"`
	Rule    string `json:"rule,omitempty"` // its name, with or without its phase
	Zone    string `json:"zone,omitempty"`
	// For is how long, such as 1h, which it is if this is empty, and at most seven days.
	For string `json:"for,omitempty"`
}

// Undone is the receipt of what was undone: it is in force.
type Undone struct {
	exceptions.Exception
	// Bans is how many bans were lifted, of sources that can connect again.
	Bans int `json:"bans"`
}

// undo puts an exception in force and lifts the bans that it is about.
func (n *Node) undo(u *Undo, by string) (*Undone, error) {
	e, err := n.exception(u)
	if err != nil {
		return nil, err
	}
	n.reloading.Lock() // so that who takes over reads all that was undone before
	defer n.reloading.Unlock()
	if n.after != nil {
		return nil, errRetired
	}
	length := undoneFor
	if u.For != "" {
		if length, err = time.ParseDuration(u.For); err != nil {
			return nil, fmt.Errorf("undoing: %w: want a time such as 30m or 24h", err)
		}
	}
	e.Since = time.Now().UTC().Truncate(time.Second)
	e.Until, e.By = e.Since.Add(length), by
	done := &Undone{}
	if done.Exception, err = n.rooms.Verdict.Exceptions.Add(*e); err != nil {
		return nil, err
	}
	if done.Zone == "" { // a ban is for what was done to the node
		done.Bans = n.conns.Unban(done.Address)
		n.packets.Unban(done.Address)
	}
	n.log.Info("undone", "what", done.String(), "until", done.Until, "by", by, "bans", done.Bans)
	return done, nil
}

// exception finds what an undo is about.
func (n *Node) exception(u *Undo) (e *exceptions.Exception, err error) {
	switch e = (&exceptions.Exception{Zone: u.Zone}); {
	case (u.Address == "") == (u.Rule == ""):
		return nil, errors.New("undoing: want an address or a rule, and not both")
	case u.Rule != "":
		e.Zone, e.Rule, err = n.refusingRule(u.Zone, u.Rule)
		return e, err
	}
	if u.Zone != "" {
		if _, err := n.onlyZone(u.Zone); err != nil {
			return nil, fmt.Errorf("undoing: %w", err)
		}
	}
	e.Address, err = parseAddress(u.Address)
	return e, err
}

// parseAddress reads an address or a prefix.
func parseAddress(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a prefix", text)
	}
	return p.Masked(), nil
}

// refusingRule finds the one rule of a name that refuses, in a zone, in any, or with "*" of the node's own.
func (n *Node) refusingRule(of, name string) (zoneName, rule string, err error) {
	var found, others []string
	look := func(in string, undoable func(string) []string) {
		if in == snapshot.Unserved || of != "" && in != of {
			return
		}
		others = append(others, undoable("")...)
		for _, r := range undoable(name) {
			zoneName, rule = in, r
			found = append(found, zoneName+": "+rule)
		}
	}
	look(spec.AllZones, n.rooms.Verdict.Undoable)
	n.snapshot.Each(func(z *zone.Zone) { look(z.Name(), z.Verdict.Undoable) })
	slices.Sort(others)
	switch others = slices.Compact(others); {
	case others == nil:
		return "", "", fmt.Errorf("undoing: no zone %s is in force", of)
	case found == nil:
		const most = 20
		if len(others) > most {
			others = append(others[:most], "…")
		}
		return "", "", fmt.Errorf("undoing: no rule %q refuses: there are %s", name, strings.Join(others, ", "))
	case len(found) > 1:
		slices.Sort(found)
		return "", "", fmt.Errorf("undoing: there are %d rules %q: want one's zone and whole name: %s", len(found), name, strings.Join(found, ", "))
	}
	return zoneName, rule, nil
}

// cancel ends what is undone before its time.
func (n *Node) cancel(u *Undo, by string) ([]exceptions.Exception, error) {
	is := exceptions.IsRule(u.Zone, u.Rule)
	switch {
	case (u.Address == "") == (u.Rule == ""):
		return nil, errors.New("cancelling: want an address or a rule, and not both")
	case u.Address != "":
		address, err := parseAddress(u.Address)
		if err != nil {
			return nil, fmt.Errorf("cancelling: %w", err)
		}
		is = exceptions.IsAddress(u.Zone, address)
	}
	n.reloading.Lock()
	defer n.reloading.Unlock()
	if n.after != nil {
		return nil, errRetired
	}
	gone := n.rooms.Verdict.Exceptions.Cancel(is)
	if gone == nil {
		where := "all zones"
		if u.Zone != "" {
			where = "zone " + u.Zone
		}
		return nil, fmt.Errorf("cancelling: %s is not undone for %s: see seawall undo --list", cmp.Or(u.Address, u.Rule), where)
	}
	for _, e := range gone {
		n.log.Info("no longer undone", "what", e.String(), "was", e.By, "by", by)
	}
	return gone, nil
}

// who tells from where a command came: from this machine, or with the token, of which a hash tells which it was.
func (n *Node) who(r *http.Request) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil && from.Addr().IsLoopback() {
		return "local"
	}
	hash := sha256.Sum256([]byte(n.keys.token))
	return fmt.Sprintf("token %x from %v", hash[:4], from.Addr())
}

func (n *Node) serveUndo(w http.ResponseWriter, r *http.Request) {
	var u Undo
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&u); err != nil {
		http.Error(w, "reading what to undo: "+err.Error(), http.StatusBadRequest)
		return
	}
	done, err := n.undo(&u, n.who(r))
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	answer(w, http.StatusOK, done)
}

func (n *Node) serveExceptions(w http.ResponseWriter, _ *http.Request) {
	list := n.rooms.Verdict.Exceptions.List()
	if list == nil {
		list = []exceptions.Exception{}
	}
	answer(w, http.StatusOK, list)
}

func (n *Node) serveCancel(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	gone, err := n.cancel(&Undo{Address: query.Get("address"), Rule: query.Get("rule"), Zone: query.Get("zone")}, n.who(r))
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	answer(w, http.StatusOK, gone)
}

// UndoRefusals has the node that runs on this machine undo refusals; for admin see [Explain].
func UndoRefusals(ctx context.Context, data, admin string, u *Undo) (*Undone, error) {
	text, err := json.Marshal(u)
	if err != nil {
		return nil, err
	}
	return askFor[*Undone](ctx, http.MethodPost, data, admin, "/api/undo", bytes.NewReader(text))
}

// ListUndone asks the node that runs on this machine what is undone; for admin see [Explain].
func ListUndone(ctx context.Context, data, admin string) (Exceptions, error) {
	return askFor[Exceptions](ctx, http.MethodGet, data, admin, "/api/undo", nil)
}

// CancelUndone has the node that runs on this machine end what is undone before its time; for admin see [Explain].
func CancelUndone(ctx context.Context, data, admin string, u *Undo) (Exceptions, error) {
	query := url.Values{"address": {u.Address}, "rule": {u.Rule}, "zone": {u.Zone}}
	return askFor[Exceptions](ctx, http.MethodDelete, data, admin, "/api/undo?"+query.Encode(), nil)
}

// askFor gets a value from the node's admin listener.
func askFor[T any](ctx context.Context, method, data, admin, path string, content io.Reader) (value T, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := send(ctx, method, data, admin, path, content)
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(body, &value); err != nil {
		return value, fmt.Errorf("reading the node's answer: %w", err)
	}
	return value, nil
}

// Write tells it to a person.
func (u *Undone) Write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "undone: %s, until %s\n", u.String(), day(u.Until))
	if err == nil && u.Bans > 0 {
		_, err = fmt.Fprintf(w, "bans lifted: %d\n", u.Bans)
	}
	return err
}

// Exceptions are what is undone.
type Exceptions []exceptions.Exception

// Write tells them to a person.
func (e Exceptions) Write(w io.Writer) error {
	for i := range e {
		if _, err := fmt.Fprintf(w, "%s, until %s, by %s\n", e[i].String(), day(e[i].Until), e[i].By); err != nil {
			return err
		}
	}
	return nil
}

// day is a time for a person.
func day(t time.Time) string { return t.UTC().Format(time.DateTime + " MST") }

// openExceptions puts in force what was undone before.
func (n *Node) openExceptions() {
	room := n.rooms.Verdict.Exceptions
	room.Log = n.log
	if err := room.Open(filepath.Join(n.spec.Data, exceptionsFile)); err != nil {
		n.warn("starting with nothing undone", err)
	}
}

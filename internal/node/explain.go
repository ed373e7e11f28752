package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/response"
	"github.com/seawall/seawall/internal/zone"
	"github.com/seawall/seawall/reqid"
)

// Explanation is what an id tells: the request's entry while the node remembers it, and what the id itself carries if it is a refusal's.
type Explanation struct {
	ID    string        `json:"id"`
	Time  time.Time     `json:"time"`
	Entry *record.Entry `json:"entry,omitempty"`
	// Refusal and Zone come out of the id; Zone is empty if the name is not known here.
	Refusal string `json:"refusal,omitempty"`
	Zone    string `json:"zone,omitempty"`
	// Remedy is how the rule that refused stands, and what undoes it; nil if nothing was refused that a command lets through.
	Remedy *Remedy `json:"remedy,omitempty"`
}

// errForgotten tells that an id carries nothing and that no node remembers it.
var errForgotten = errors.New("nothing is known of this request any more: it was not refused, so its id carries no evidence, and newer requests have taken its place in memory; the access log may have it")

func (n *Node) explain(text string) (*Explanation, error) {
	x, err := unseal(n.sealer, text)
	if err != nil {
		return nil, err
	}
	if line, ok := n.rooms.Record.Find(x.ID); ok {
		entry, err := record.Parse(line)
		if err != nil {
			return nil, err
		}
		x.Entry = &entry
		x.Zone = entry.Zone
		x.Remedy = n.remedy(x, 0)
		return x, nil
	}
	if x.Refusal == "" {
		return nil, errForgotten
	}
	_, evidence, _ := n.sealer.Open(text)
	n.snapshot.Each(func(z *zone.Zone) {
		if response.Hash(z.Name()) == evidence.Zone {
			x.Zone = z.Name()
		}
	})
	x.Remedy = n.remedy(x, evidence.Rule)
	return x, nil
}

// unseal reads an id and, if it is a refusal's, its evidence.
func unseal(sealer *reqid.Sealer, text string) (*Explanation, error) {
	id, _, sealed, err := reqid.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading the id: %w", err)
	}
	x := &Explanation{ID: id.String(), Time: id.Time()}
	if !sealed {
		return x, nil
	}
	_, evidence, err := sealer.Open(text)
	if err != nil {
		return nil, fmt.Errorf("reading the id: %w", err)
	}
	x.Refusal = flow.Reason(evidence.Reason).String()
	return x, nil
}

// Explain asks the node that runs on this machine about an id. If none answers, what the id itself carries is told, with the key in
// the data folder. admin is the node's admin address; empty means the one that it left in its data folder.
func Explain(ctx context.Context, data, admin, id string) (*Explanation, error) {
	if _, _, _, err := reqid.Parse(id); err != nil {
		return nil, fmt.Errorf("reading the id: %w", err)
	}
	x, err := ask(ctx, data, admin, id)
	if err == nil || !errors.Is(err, errNoNode) {
		return x, err
	}
	key, kerr := readSecret(filepath.Join(data, sealFile))
	if kerr != nil {
		return nil, fmt.Errorf("%w, and the id can't be read without it: %w", err, kerr)
	}
	x, uerr := unseal(reqid.NewSealer([32]byte(key)), id)
	if uerr != nil {
		return nil, uerr
	}
	if x.Refusal == "" {
		return nil, fmt.Errorf("%w, and this id carries no evidence, as its request was not refused", err)
	}
	return x, nil
}

// errNoNode tells that no node answers on the admin address.
var errNoNode = errors.New("no node answers")

// errNoPath tells that the node that answers, of another version, does not know the path, for which a server's mux says noPage.
var errNoPath = errors.New("the node does not know what was asked")

// mostAnswer bounds what of an answer is read, in bytes: a list of many rules with their samples is the longest.
const mostAnswer = 64 << 20

const noPage = "404 page not found"

func ask(ctx context.Context, data, admin, id string) (*Explanation, error) {
	return askFor[*Explanation](ctx, http.MethodGet, data, admin, "/explain/"+strings.TrimSpace(id), nil)
}

// send sends a request to the node's admin listener.
func send(ctx context.Context, method, data, admin, path string, content io.Reader) ([]byte, error) {
	if admin == "" {
		address, err := os.ReadFile(filepath.Join(data, adminFile))
		if err != nil {
			return nil, fmt.Errorf("%w: none has left its address in %s", errNoNode, data)
		}
		admin = strings.TrimSpace(string(address))
	}
	token, err := os.ReadFile(filepath.Join(data, tokenFile))
	if err != nil {
		return nil, fmt.Errorf("reading the admin token: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+admin+path, content)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", admin, err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w on %s: %w", errNoNode, admin, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", admin, err)
	}
	if answer.StatusCode == http.StatusNotFound && strings.HasPrefix(string(body), noPage) {
		return nil, errNoPath
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(string(body)))
	}
	return body, nil
}

// Write tells the explanation to a person.
func (x *Explanation) Write(w io.Writer) error {
	if err := x.writeRequest(w); err != nil {
		return err
	}
	for _, l := range x.Remedy.lines() {
		if _, err := fmt.Fprintf(w, "%-10s %s\n", l.label, record.Printable(l.text)); err != nil {
			return err
		}
	}
	return nil
}

func (x *Explanation) writeRequest(w io.Writer) error {
	if x.Entry != nil {
		return x.Entry.Explain(w)
	}
	_, err := fmt.Fprintf(w, "%-10s %s at %s\n%-10s %s\n%-10s %s\n%-10s %s\n",
		"request", x.ID, x.Time.Format("2006-01-02 15:04:05.000 MST"),
		"zone", or(x.Zone, "not known here"),
		"refused", x.Refusal+" (as sealed in the id; the rest is forgotten)",
		"", record.Remedy(x.Refusal))
	return err
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

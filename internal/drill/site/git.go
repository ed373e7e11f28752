package site

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// The smart HTTP of git (gitprotocol-http), in version 2 for whoever asks for it and else in version 0.
const (
	gitRefsPath = "/harbour.git/info/refs"
	gitPackPath = "/harbour.git/git-upload-pack"

	typeRefs    = "application/x-git-upload-pack-advertisement"
	typeRequest = "application/x-git-upload-pack-request"
	typeResult  = "application/x-git-upload-pack-result"

	gitAgent = "git/2.39.5"
	flush    = "0000" // ends a message
	delim    = "0001" // divides one
	band     = 65515  // bytes of a pack in one packet of the side band
)

// GitStep is one request of a clone as git 2.39 sends it, and the body of its answer. Version2 is sent as
// "Git-Protocol: version=2".
type GitStep struct {
	Method, Target      string
	ContentType, Accept string // "" is not sent
	Body                []byte
	Want                []byte
}

// Clone returns the requests of `git clone`, in their order.
func (r *Repository) Clone() []GitStep {
	list := packets("command=ls-refs", "agent="+gitAgent, "object-format=sha1") + delim +
		packets("peel\n", "symrefs\n", "unborn\n", "ref-prefix HEAD\n", "ref-prefix refs/heads/\n", "ref-prefix refs/tags/\n") + flush
	fetch := packets("command=fetch", "agent="+gitAgent, "object-format=sha1") + delim +
		packets("thin-pack", "no-progress", "ofs-delta", "want "+r.head+"\n", "want "+r.head+"\n", "want "+r.tag+"\n", "done\n") + flush
	post := func(body string) GitStep {
		want, _ := r.answer([]byte(body)) // our own request is well-formed
		return GitStep{Method: http.MethodPost, Target: gitPackPath, ContentType: typeRequest, Accept: typeResult, Body: []byte(body), Want: want}
	}
	return []GitStep{
		{Method: http.MethodGet, Target: gitRefsPath + "?service=git-upload-pack", Accept: "*/*", Want: r.advertisement(true)},
		post(list), post(fetch),
	}
}

// advertisement is the answer to the first request.
func (r *Repository) advertisement(version2 bool) []byte {
	b := packets("# service=git-upload-pack\n") + flush
	if version2 {
		return []byte(b + packets("version 2\n", "agent="+gitAgent+"\n", "ls-refs=unborn\n", "fetch\n", "object-format=sha1\n") + flush)
	}
	can := "\x00side-band-64k ofs-delta no-progress include-tag symref=HEAD:refs/heads/main object-format=sha1 agent=" + gitAgent + "\n"
	return []byte(b + packets(r.head+" HEAD"+can, r.head+" refs/heads/main\n", r.tag+" refs/tags/v1\n") + flush)
}

// answer is what a POST to git-upload-pack gets.
func (r *Repository) answer(body []byte) ([]byte, error) {
	lines, err := readPackets(body)
	if err != nil {
		return nil, err
	}
	var command string
	var done, sideBand bool
	for _, l := range lines {
		l, can, _ := strings.Cut(strings.TrimSuffix(l, "\n"), " ")
		switch {
		case strings.HasPrefix(l, "command="):
			command = l[len("command="):]
		case l == "want" && !r.has(can[:min(40, len(can))]):
			return nil, fmt.Errorf("not our ref %q", can)
		case l == "want":
			sideBand = sideBand || strings.Contains(can, " side-band-64k")
		case l == "done":
			done = true
		}
	}
	switch {
	case command == "ls-refs":
		return []byte(packets(r.refs()...) + flush), nil
	case command == "fetch" && done:
		return r.inBands([]byte(packets("packfile\n"))), nil
	case command == "fetch":
		return []byte(packets("acknowledgments\n", "NAK\n") + flush), nil
	case command != "":
		return nil, fmt.Errorf("no command %q", command)
	case !done:
		return []byte(packets("NAK\n")), nil
	case sideBand:
		return r.inBands([]byte(packets("NAK\n"))), nil
	}
	return append([]byte(packets("NAK\n")), r.pack...), nil
}

// inBands appends the pack to b in packets of the side band that carries data.
func (r *Repository) inBands(b []byte) []byte {
	for rest := r.pack; len(rest) > 0; {
		n := min(band, len(rest))
		b = fmt.Appendf(b, "%04x\x01", n+5)
		b = append(b, rest[:n]...)
		rest = rest[n:]
	}
	return append(b, flush...)
}

// packets writes lines as pkt-lines (gitprotocol-common).
func packets(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%04x%s", len(l)+4, l)
	}
	return b.String()
}

// readPackets takes pkt-lines apart; what divides and ends a message is left out.
func readPackets(b []byte) ([]string, error) {
	var lines []string
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, fmt.Errorf("a packet ends within its length")
		}
		n, err := strconv.ParseUint(string(b[:4]), 16, 16)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is no packet's length", b[:4])
		case n < 4:
			n = 4
		case int(n) > len(b):
			return nil, fmt.Errorf("a packet of %d bytes, and %d are there", n, len(b))
		default:
			lines = append(lines, string(b[4:n]))
		}
		b = b[n:]
	}
	return lines, nil
}

// serveGit answers git.
func (s *Site) serveGit(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	switch {
	case r.URL.Path == gitRefsPath && r.URL.Query().Get("service") == "git-upload-pack":
		send(w, http.StatusOK, typeRefs, s.content.Repository.advertisement(r.Header.Get("Git-Protocol") == "version=2"))
	case r.URL.Path == gitPackPath && r.Method == http.MethodPost && r.Header.Get("Content-Type") == typeRequest:
		body, err := io.ReadAll(r.Body)
		if err == nil {
			body, err = s.content.Repository.answer(body)
		}
		if err != nil {
			send(w, http.StatusBadRequest, "text/plain; charset=utf-8", []byte(err.Error()+"\n"))
			return
		}
		send(w, http.StatusOK, typeResult, body)
	default: // what dumb clients ask for, and pushes
		send(w, http.StatusForbidden, "text/plain; charset=utf-8", []byte("read only, over smart HTTP\n"))
	}
}

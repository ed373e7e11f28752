package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/score"
)

// reportFile is the report of a peer in its folder.
const reportFile = "report.json"

// write writes a report and pictures of each peer into a folder, and the table that compares them to a
// page, with a picture beside it, or to w.
func (c *contest) write(ctx context.Context, w io.Writer, results map[string][]score.Result) error {
	if c.plan.add {
		if err := c.addEarlier(results); err != nil {
			return err
		}
	}
	var reports []score.Report
	for _, p := range peers {
		if len(results[p.name]) == 0 {
			continue
		}
		r := score.NewReport(p.name, results[p.name][0].Seed, results[p.name])
		if err := writeReport(filepath.Join(c.plan.out, p.name), r); err != nil {
			return fmt.Errorf("report of %s: %w", p.name, err)
		}
		reports = append(reports, r)
	}
	if len(reports) == 0 {
		return nil
	}
	picture := filepath.Join(c.plan.out, "drill.svg")
	if c.plan.page != "" {
		picture = strings.TrimSuffix(c.plan.page, ".md") + ".svg"
	}
	if err := writeFile(picture, func(w io.Writer) error { return score.CompareSVG(w, reports...) }); err != nil {
		return err
	}
	var table bytes.Buffer
	if err := score.Compare(&table, reports...); err != nil {
		return err
	}
	c.describe(ctx, &table, results)
	if c.plan.page == "" {
		_, err := w.Write(table.Bytes())
		return err
	}
	page, err := os.ReadFile(c.plan.page)
	if err != nil {
		return err
	}
	if page, err = score.Fill(page, table.String()); err != nil {
		return fmt.Errorf("%s: %w", c.plan.page, err)
	}
	return os.WriteFile(c.plan.page, page, 0o644)
}

// addEarlier adds to the results those that the folder has of other scenarios, and puts them in the order of the list.
func (c *contest) addEarlier(results map[string][]score.Result) error {
	for _, p := range peers {
		r, err := readReport(filepath.Join(c.plan.out, p.name, reportFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, earlier := range r.Results {
			if !slices.ContainsFunc(results[p.name], func(r score.Result) bool { return r.Scenario == earlier.Scenario }) {
				results[p.name] = append(results[p.name], earlier)
			}
		}
		names := scenario.Names()
		slices.SortStableFunc(results[p.name], func(a, b score.Result) int {
			return cmp.Compare(slices.Index(names, a.Scenario), slices.Index(names, b.Scenario))
		})
	}
	return nil
}

// describe says below the table who has played.
func (c *contest) describe(ctx context.Context, table *bytes.Buffer, results map[string][]score.Result) {
	table.WriteString("\n")
	for _, p := range peers {
		if len(results[p.name]) == 0 {
			continue
		}
		said, _ := exec.CommandContext(ctx, c.programs[p.name], p.version...).CombinedOutput() // it has just run
		version, _, _ := strings.Cut(string(said), "\n")
		fmt.Fprintf(table, "- **%s** (%s): %s\n", p.name, strings.TrimSpace(version), p.about)
	}
}

// writeReport writes report.json, drill.svg, and a picture of each scenario.
func writeReport(dir string, r score.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string]func(io.Writer) error{reportFile: r.WriteJSON, "drill.svg": r.WriteSVG}
	for _, result := range r.Results {
		files[result.Scenario+".svg"] = result.WriteSVG
	}
	for name, write := range files {
		if err := writeFile(filepath.Join(dir, name), write); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file whole or not at all.
func writeFile(path string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

"""Drawings as SVG and the axes they stand on: for reports and for the live page. Imports nothing of ours."""

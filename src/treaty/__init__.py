"""Treaty: contract testing for teams whose services deploy on their own."""

"""Statements of brokers and banks: their rows are transactions, and no prices of each date."""

from __future__ import annotations

import re
from collections.abc import Sequence

from forecast.data.fields import kind_of, plain_name

#: What a statement's columns are called, as `plain_name` writes them.
FEE = re.compile(
    r".*\b(fees?|commissions?|comm|brokerage|transaction costs?|gebuhr|gebuhren|provision|transaktionskosten|frais|"
    r"courtage|comision|comisiones|commissioni|commissie|transactiekosten|courtage)\b.*"
)
QUANTITY = re.compile(
    r"(quantity|qty|shares|no of shares|number of shares|anzahl|stuck|nombre|quantite|cantidad|quantita|aantal)"
    r"( transacted| traded| filled| executed)?|executed|filled"
)
AMOUNT = re.compile(
    r"((total|net|gross|local|transaction|trade|order) )?(amount|proceeds|subtotal|consideration)|total|gesamt|betrag|"
    r"totaal|bedrag|montant|importe|importo|cost|cost basis|basis|total (cost|value)|debit|credit|soll|haben|"
    r"(paid|money) (in|out)|deposits?|withdrawals?|cash|invested"
)
BALANCE = re.compile(r"((account|running|cash|closing|available) )?balance|saldo|kontostand|solde|guthaben")
PRICE_PER = re.compile(r"(price|kurs|prix|precio|prezzo) (per|pro|par|por) \w+")


def find_statement(names: Sequence[str]) -> list[str]:
    """Return the names that show that a table is a statement of transactions or of an account; none of other tables.

    >>> find_statement(["Product", "Quantity", "Price", "Transaction costs"])
    ['Quantity', 'Transaction costs']
    >>> find_statement(["Price", "Volume", "Amount"]), find_statement(["GDP", "Trade balance"])
    ([], [])
    """
    plain = {name: plain_name(re.sub(r"[/()]", " ", name)) for name in names}

    def named(pattern: re.Pattern[str]) -> list[str]:
        return [name for name, text in plain.items() if pattern.fullmatch(text)]

    fees, quantities, amounts, balances, per = map(named, (FEE, QUANTITY, AMOUNT, BALANCE, PRICE_PER))
    if any(kind_of(name) in ("High", "Low") for name in names):
        return []
    others = [*quantities, *amounts, *balances]
    if fees and others:
        return [others[0], fees[0]]
    if balances and (amounts or quantities):
        return [(amounts or quantities)[0], balances[0]]
    if quantities and (amounts or per):
        return [quantities[0], (amounts or per)[0]]
    return []

//! The examples of RFC 7541, Appendix C: blocks of one connection in order, the lines they decode
//! to, and the size of the dynamic table after each.

pub(super) struct Example {
    pub(super) block: &'static str,
    pub(super) lines: &'static [&'static str],
    pub(super) table_size: usize,
}

/// Header Field Representation Examples.
pub(super) const REPRESENTATIONS: &[Example] = &[
    Example {
        block: "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
        lines: &["custom-key: custom-header"],
        table_size: 55,
    },
    Example {
        block: "040c2f73616d706c652f70617468",
        lines: &[":path: /sample/path"],
        table_size: 0,
    },
    Example {
        block: "100870617373776f726406736563726574",
        lines: &["password: secret"],
        table_size: 0,
    },
    Example {
        block: "82",
        lines: &[":method: GET"],
        table_size: 0,
    },
];

/// Request Examples without Huffman Coding.
pub(super) const REQUESTS: &[Example] = &[
    Example {
        block: "828684410f7777772e6578616d706c652e636f6d",
        lines: &[
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
        ],
        table_size: 57,
    },
    Example {
        block: "828684be58086e6f2d6361636865",
        lines: &[
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
            "cache-control: no-cache",
        ],
        table_size: 110,
    },
    Example {
        block: "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        lines: &[
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value",
        ],
        table_size: 164,
    },
];

/// Request Examples with Huffman Coding.
pub(super) const REQUESTS_CODED: &[Example] = &[
    Example {
        block: "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        lines: &[
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
        ],
        table_size: 57,
    },
    Example {
        block: "828684be5886a8eb10649cbf",
        lines: &[
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
            "cache-control: no-cache",
        ],
        table_size: 110,
    },
    Example {
        block: "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        lines: &[
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value",
        ],
        table_size: 164,
    },
];

/// Response Examples without Huffman Coding.
pub(super) const RESPONSES: &[Example] = &[
    Example {
        block: "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        lines: &[
            ":status: 302",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
        table_size: 222,
    },
    Example {
        block: "4803333037c1c0bf",
        lines: &[
            ":status: 307",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
        table_size: 222,
    },
    Example {
        block: "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
        lines: &[
            ":status: 200",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:22 GMT",
            "location: https://www.example.com",
            "content-encoding: gzip",
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ],
        table_size: 215,
    },
];

/// Response Examples with Huffman Coding.
pub(super) const RESPONSES_CODED: &[Example] = &[
    Example {
        block: "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        lines: &[
            ":status: 302",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
        table_size: 222,
    },
    Example {
        block: "4883640effc1c0bf",
        lines: &[
            ":status: 307",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
        table_size: 222,
    },
    Example {
        block: "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        lines: &[
            ":status: 200",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:22 GMT",
            "location: https://www.example.com",
            "content-encoding: gzip",
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ],
        table_size: 215,
    },
];
